// A call: whose it is, how long it may take, what it holds, and what is still to be sent of its answer. What stands in
// its bytes is its protocol's: grpc_call.hpp and http_call.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "budget.hpp"
#include "bytes.hpp"
#include "chunks.hpp"
#include "contract.hpp"
#include "entry.hpp"
#include "line.hpp"
#include "lock.hpp"
#include "message.hpp"
#include "usage.hpp"

namespace transport {

class Account;
class Peer;
class Shared;
struct Network;
class Streams;

class Call {
public:
    using Metadata = std::vector<std::pair<std::size_t, std::string>>;  // index among the wanted headers, and value

    Call(Peer& peer, Streams& streams, std::int32_t stream) REQUIRES(the_lock);
    virtual ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // What its caller sends, in this order.

    /// Counts a header, or a trailer. False where there are far too many: then the call is over.
    bool bears(std::size_t bytes) REQUIRES(the_lock);
    virtual void header(std::string_view name, std::string_view value) REQUIRES(the_lock) = 0;
    virtual void headers_came() REQUIRES(the_lock) = 0;
    virtual void data_came(std::string_view bytes) REQUIRES(the_lock) = 0;
    virtual void end_came() REQUIRES(the_lock) = 0;
    void reset_came() REQUIRES(the_lock) { is_reset_ = true; }

    /// Ends a call whose stream is closed. What was taken of it is over for Python, too. Takes no memory, and never fails.
    void close() REQUIRES(the_lock);

    /// Does `act`, by which something becomes of it. Where that fails there was no memory, and it is reset: half an answer is none, and
    /// whoever did that has others to see to.
    template <class Act>
    void or_reset(const Act& act) noexcept REQUIRES(the_lock) {
        try {
            act();
        } catch (...) {
            give_up();
        }
    }

    // What becomes of a message of it that was taken from its line.

    /// Notes that it was: it waits here no more.
    virtual void handed_over(Message& message) REQUIRES(the_lock) = 0;

    /// Notes that it is served in slices from now on.
    void shared_out(Message& message) REQUIRES(the_lock);

    /// Has a message that is served in slices wait in `line` as if nothing of it had been.
    void start_over(Message& message, Line& line) REQUIRES(the_lock);

    /// Counts its sentences, which `content` holds, in its stream's window.
    virtual void count_sentences(Message& message, std::string_view content) REQUIRES(the_lock) = 0;

    /// Refuses a call of one message, which was taken, and of which Python knows nothing.
    virtual void refuse_taken(const Status& status, Refusal refusal) REQUIRES(the_lock) = 0;

    /// Refuses a call of one message, which was taken, for want of its key's share.
    void deny(const Denial& denial) REQUIRES(the_lock);

    /// Answers it; `cut` of its sentences were longer than the model reads.
    virtual void answer(Message& message, std::string content, std::size_t cut) REQUIRES(the_lock) = 0;

    /// Ends the call with `status` in the message's place, after all messages before it.
    virtual void fail(const Message& message, const Status& status) REQUIRES(the_lock) = 0;

    /// Leaves a message, whose content is `content` again, to the application. False where its protocol has none.
    virtual bool pass_on(Message&, std::string&& /*content*/) REQUIRES(the_lock) { return false; }

    // What ends it, or not.

    /// Ends the call as refused calls of that kind are; nothing is done for it any more.
    void refuse(Refusal refusal) REQUIRES(the_lock) { end(refusal, refusal); }
    void expire() REQUIRES(the_lock);

    /// Ends a call whose request has not come in time.
    virtual void end_slow() REQUIRES(the_lock) { refuse(Refusal::slow); }

    /// Ends a call whose request hasn't come whole; a stream that goes on ends once what was read of it is answered.
    virtual void drain() REQUIRES(the_lock) = 0;

    /// Ends a call whose caller reads nothing for too long, or which takes no slot and never sends its request.
    virtual void end_if_stalled(double time) REQUIRES(the_lock) = 0;

    // What it is answered.

    struct Piece {
        enum class Then { more, later, trailers, end };  // after trailers there is no end
        std::size_t size;
        Then then;
    };

    /// Reads what fits of its response's body.
    virtual Piece read(std::span<std::uint8_t> room) REQUIRES(the_lock) = 0;

    std::int32_t stream() const { return stream_; }
    Account& account() const REQUIRES(the_lock) { return *account_; }
    Network& network() const REQUIRES(the_lock) { return *network_; }
    const Peer& peer() const REQUIRES(the_lock) { return peer_; }
    std::uint64_t caller() const REQUIRES(the_lock) { return caller_; }

    /// Returns the bytes of its answers that its caller has not read, or that are being made.
    std::size_t unread() const REQUIRES(the_lock) { return unread_; }

    /// Counts what is expected of a message's answer among those.
    void reserve(Message& message, std::size_t bytes) REQUIRES(the_lock);

    /// Ends it without a word.
    void reset() REQUIRES(the_lock);
    std::size_t method() const REQUIRES(the_lock) { return method_; }
    double arrived() const { return arrived_; }
    double deadline() const REQUIRES(the_lock) { return deadline_; }
    const Metadata& metadata() const REQUIRES(the_lock) { return metadata_; }

    const std::string& key_digest() const REQUIRES(the_lock) { return key_digest_; }
    const std::shared_ptr<Usage>& usage() const REQUIRES(the_lock) { return usage_; }

    /// Returns whether its sentences may be more than its key's share.
    bool has_share() const REQUIRES(the_lock) { return usage_ && usage_->has_limits(); }
    std::size_t held() const REQUIRES(the_lock) { return held_.used(); }
    double came() const REQUIRES(the_lock) { return came_; }

    /// Returns whether its messages are no worker's, but for a fast path's.
    virtual bool is_http() const { return false; }

    /// Returns whether it has a row of messages, and not one.
    virtual bool is_stream() const REQUIRES(the_lock) { return false; }

    /// Returns whether no header came with it that Python has to look at: none of a trace that is kept, and no other that
    /// it asked for.
    virtual bool is_plain() const REQUIRES(the_lock) = 0;

    /// Returns whether how it ends is known, after the messages that are on their way.
    virtual bool has_ended() const REQUIRES(the_lock) { return is_over_; }

    /// Returns whether its request didn't come in time, and whoever sent it is to connect anew.
    virtual bool was_slow() const REQUIRES(the_lock) { return false; }

    /// Returns whether its caller waits to be told that its body is wanted, which it is.
    virtual bool waits_for_continue() const REQUIRES(the_lock) { return false; }

    /// Returns whether its caller sends no more of it.
    bool is_closed_by_caller() const REQUIRES(the_lock) { return has_closed_ || is_reset_; }

    /// Returns whether another may have its slot: Python hasn't taken it.
    bool may_give_way() const REQUIRES(the_lock) { return holds_slot_ && !is_counted_by_python_ && !is_shared_out_; }

protected:
    enum class Key { none, unknown, known };

    virtual bool is_metered() const REQUIRES(the_lock) = 0;
    virtual bool takes_slot() const REQUIRES(the_lock) = 0;

    /// Returns why it is none of the calls that may be let in.
    virtual Refusal unfit() const REQUIRES(the_lock) = 0;

    /// Returns the line that it will wait in, as far as can be known; null where nothing is known of how long.
    virtual const Line* line_ahead() const REQUIRES(the_lock) = 0;

    /// Takes a place beside its slot; false where there is none.
    virtual bool take_place() REQUIRES(the_lock) { return true; }
    virtual void give_place_back() REQUIRES(the_lock) {}

    /// Returns the method by which its end is counted, negative where it is none; nothing where nobody counts it.
    virtual std::optional<int> counted_method() const REQUIRES(the_lock) = 0;

    /// Says how it ends.
    virtual void say_end(Refusal why) REQUIRES(the_lock) = 0;
    virtual void say_denial(const Denial& denial) REQUIRES(the_lock) = 0;

    /// Drops its messages: they will not be answered.
    virtual void drop_all() REQUIRES(the_lock) = 0;

    // What stands in its headers.
    void find_account(std::uint64_t caller, Network& network) REQUIRES(the_lock);
    void authorize(std::string_view value) REQUIRES(the_lock);
    void look_at_forwarded(std::string_view name, std::string_view value) REQUIRES(the_lock);
    void look_at_trace(std::string_view traceparent) REQUIRES(the_lock);
    bool keeps_trace() const REQUIRES(the_lock);

    // What it is let in for, and what it holds.
    bool let_in() REQUIRES(the_lock);
    Refusal refusal() const REQUIRES(the_lock);
    double patience_s() const REQUIRES(the_lock);
    bool can_wait() const REQUIRES(the_lock);
    void take_slot() REQUIRES(the_lock);
    void note_progress(bool waits_for_more) REQUIRES(the_lock);
    void give_work_back(Message& message) REQUIRES(the_lock);
    void give_slot_back() REQUIRES(the_lock);
    void disown() REQUIRES(the_lock);

    // What it is answered.
    void put(std::string bytes) REQUIRES(the_lock);
    std::size_t take_out(std::span<std::uint8_t> room) REQUIRES(the_lock);
    void sent(std::size_t bytes) REQUIRES(the_lock);
    bool is_unread(double time) REQUIRES(the_lock);
    void use_unread(std::size_t bytes) REQUIRES(the_lock);
    void give_unread_back(std::size_t bytes) REQUIRES(the_lock);

    // How it ends.
    void give_up() REQUIRES(the_lock);
    void end(Refusal why, Refusal counted) REQUIRES(the_lock);
    void count(int code) REQUIRES(the_lock);

    Peer& peer_;
    Streams& streams_;
    Shared& shared_;
    const std::int32_t stream_;
    std::uint64_t caller_;
    Network* network_;
    Account* account_;
    std::size_t method_ = 0;  // index
    const double arrived_;
    double deadline_ = never;

    bool holds_slot_ = false;
    bool is_owed_ = false;                     // it was let in, and a server that stops waits for its answer to be read
    bool is_counted_by_python_ = false;        // a call of one message that was taken
    bool is_shared_out_ = false;               // it is served in slices
    Entry<std::multimap<double, Call*>> due_;  // among the deadlines
    Entry<std::list<Call*>> reading_;          // among those whose requests are on their way
    Entry<std::list<Call*>> receiving_;        // among those of its network whose message has begun to come

    // What came.
    Metadata metadata_;
    std::string forwarded_, x_forwarded_for_;  // what a trusted proxy says of who calls
    std::size_t header_bytes_ = 0;
    std::size_t traceparents_ = 0;
    bool is_unsampled_ = false;
    Key key_ = Key::none;
    std::string key_digest_;  // SHA-256 of a known one
    std::shared_ptr<Usage> usage_;  // of its holder, where that is counted
    Budget held_;             // bytes that came, and were not taken
    double came_ = 0;         // time at which more of its message came, while it is among those
    bool has_closed_ = false, is_reset_ = false;  // its caller sends no more, or wants no answer

    // What goes.
    Chunks out_;
    std::size_t unread_ = 0;
    std::uint64_t put_ = 0, sent_ = 0;  // bytes, since the call began
    std::uint64_t noted_ = 0;           // bytes that had left when it was last noted that it gets on
    double progressed_;                 // time of that
    Refusal refusal_ = Refusal::none;   // why the transport refused it
    bool is_over_ = false;              // how it ends is said
};

}  // namespace transport
