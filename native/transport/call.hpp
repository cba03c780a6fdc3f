// A call: whose it is, how long it may take, what it holds, and what is still to be sent of its answer. What stands in
// its bytes is its protocol's: grpc_call.hpp and http_call.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
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
class StreamControl;

/// One call of any protocol, from its headers until its answer is sent; subclasses parse and write their
/// protocol's.
class Call {
public:
    using Metadata = std::vector<std::pair<std::size_t, std::string>>;  // index among the wanted headers, and value

    Call(Peer& peer, StreamControl& streams, std::int32_t stream) REQUIRES(the_lock);
    virtual ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // What its caller sends, in this order.

    /// Counts a header or trailer. Returns false if there are far too many; then the call has ended.
    bool bears(std::size_t bytes) REQUIRES(the_lock);
    virtual void header(std::string_view name, std::string_view value) REQUIRES(the_lock) = 0;
    virtual void headers_came() REQUIRES(the_lock) = 0;
    virtual void data_came(std::string_view bytes) REQUIRES(the_lock) = 0;
    virtual void end_came() REQUIRES(the_lock) = 0;
    void reset_came() REQUIRES(the_lock) { is_reset_ = true; }

    /// Ends a call whose stream is closed. Its messages that were taken have ended for Python, too. Takes no memory, and
    /// never fails.
    void close() REQUIRES(the_lock);

    /// Calls `act`, which changes the call. If that throws, for lack of memory, the call is reset, since half an answer is
    /// none; the exception ends here, because whoever called has other calls to handle.
    template <class Act>
    void or_reset(const Act& act) noexcept REQUIRES(the_lock) {
        try {
            act();
        } catch (...) {
            give_up();
        }
    }

    // What becomes of a message of it that was taken from its line.

    /// Notes that the message was handed over, so that it no longer waits here.
    virtual void handed_over(Message& message) REQUIRES(the_lock) = 0;

    /// Notes that the message is served in slices from now on.
    void shared_out(Message& message) REQUIRES(the_lock);

    /// Lets a message that was served in slices wait in `line` from its start again.
    void start_over(Message& message, Line& line) REQUIRES(the_lock);

    /// Lets `job`, the sentences of a message that was taken and is not answered yet, wait in `line`; it holds `bytes`.
    void submitted(Message& message, Line& line, const std::shared_ptr<Job>& job, std::size_t bytes) REQUIRES(the_lock);

    /// Ends that job: it is done, or nobody will do it.
    void take_back(Message& message) REQUIRES(the_lock);

    /// Counts the sentences in `content` against its stream's window.
    virtual void count_sentences(Message& message, std::string_view content) REQUIRES(the_lock) = 0;

    /// Refuses a unary call whose message was taken by the fast path, so that Python doesn't know of it.
    virtual void refuse_taken(const Status& status, Refusal refusal) REQUIRES(the_lock) = 0;

    /// Refuses a unary call whose message was taken, because its key's quota is exceeded.
    void deny(const Denial& denial) REQUIRES(the_lock);

    /// Answers the message; `cut` of its sentences were longer than the model reads.
    virtual void answer(Message& message, std::string content, std::size_t cut) REQUIRES(the_lock) = 0;

    /// Ends the call with `status` in place of the message's answer, after all messages before it.
    virtual void fail(const Message& message, const Status& status) REQUIRES(the_lock) = 0;

    /// Puts a taken message back, with its `content`, into the line of the HTTP application in Python. Returns false, and
    /// does nothing, for gRPC, which has no such application.
    virtual bool pass_on(Message&, std::string&& /*content*/) REQUIRES(the_lock) { return false; }

    // What ends it, or not.

    /// Ends the call with the status of `refusal`; nothing more is done for it.
    void refuse(Refusal refusal) REQUIRES(the_lock) { end(refusal, refusal); }
    void expire() REQUIRES(the_lock);

    /// Ends a call whose request has not arrived in time.
    virtual void end_slow() REQUIRES(the_lock) { refuse(Refusal::slow); }

    /// Ends a call whose request is incomplete; a stream ends after the messages that were read are answered.
    virtual void drain() REQUIRES(the_lock) = 0;

    /// Ends a call whose caller has read nothing for too long, or that takes no slot and never sends its request.
    virtual void end_if_stalled(double time) REQUIRES(the_lock) = 0;

    // What it is answered.

    struct Piece {
        enum class Then { more, later, trailers, end };  // after trailers there is no end
        std::size_t size;
        Then then;
    };

    /// Reads as much of its response's body as fits.
    virtual Piece read(std::span<std::uint8_t> room) REQUIRES(the_lock) = 0;

    std::int32_t stream() const { return stream_; }
    Account& account() const REQUIRES(the_lock) { return *account_; }
    Network& network() const REQUIRES(the_lock) { return *network_; }
    const Peer& peer() const REQUIRES(the_lock) { return peer_; }
    std::uint64_t caller() const REQUIRES(the_lock) { return caller_; }

    /// Returns the bytes of its answers that its caller has not read yet, or that are being made.
    std::size_t unread() const REQUIRES(the_lock) { return unread_; }

    /// Counts the expected size of a message's answer as unread.
    void reserve(Message& message, std::size_t bytes) REQUIRES(the_lock);

    /// Ends the call without a status.
    void reset(EventKind why) REQUIRES(the_lock);

    /// Notes what was decided about it.
    void note(EventKind what, Refusal why = Refusal::none) REQUIRES(the_lock);
    std::size_t method() const REQUIRES(the_lock) { return method_; }
    double arrived() const { return arrived_; }
    double deadline() const REQUIRES(the_lock) { return deadline_; }
    const Metadata& metadata() const REQUIRES(the_lock) { return metadata_; }

    const std::string& key_digest() const REQUIRES(the_lock) { return key_digest_; }
    const std::shared_ptr<Usage>& usage() const REQUIRES(the_lock) { return usage_; }

    /// Returns whether its key has a quota.
    bool has_share() const REQUIRES(the_lock) { return usage_ && usage_->has_limits(); }
    std::size_t held() const REQUIRES(the_lock) { return held_.used(); }
    double came() const REQUIRES(the_lock) { return came_; }

    /// Returns whether only a fast path or the application takes its messages, never a worker of Python's.
    virtual bool is_http() const { return false; }

    /// Returns whether it has a sequence of messages instead of one.
    virtual bool is_stream() const REQUIRES(the_lock) { return false; }

    /// Returns whether Python needs none of its headers: it has no trace that is recorded, and none of the headers that
    /// Python asked for.
    virtual bool is_plain() const REQUIRES(the_lock) = 0;

    /// Returns whether its final status is known, which follows the answers in progress.
    virtual bool has_ended() const REQUIRES(the_lock) { return is_over_; }

    /// Returns whether its request was too late, so that its caller has to reconnect.
    virtual bool was_slow() const REQUIRES(the_lock) { return false; }

    /// Returns whether its caller waits for "100 Continue" before it sends a body that is wanted.
    virtual bool waits_for_continue() const REQUIRES(the_lock) { return false; }

    /// Returns whether its caller sends no more of it.
    bool is_closed_by_caller() const REQUIRES(the_lock) { return has_closed_ || is_reset_; }

    /// Returns whether its slot may be given to another call: Python hasn't taken it.
    bool may_give_way() const REQUIRES(the_lock) { return holds_slot_ && !is_counted_by_python_ && !is_shared_out_; }

protected:
    enum class Key { none, unknown, known };

    virtual bool is_metered() const REQUIRES(the_lock) = 0;
    virtual bool takes_slot() const REQUIRES(the_lock) = 0;

    /// Returns why it can't be admitted at all; Refusal::none if it can.
    virtual Refusal unfit() const REQUIRES(the_lock) = 0;

    /// Returns the line in which it will wait, if that is known; null if its wait can't be estimated.
    virtual const Line* line_ahead() const REQUIRES(the_lock) = 0;

    /// Takes a place in a limited list in addition to its slot; returns false if there is none.
    virtual bool take_place() REQUIRES(the_lock) { return true; }
    virtual void give_place_back() REQUIRES(the_lock) {}

    /// Returns the index of the method by which its end is counted, negative for an unknown one; none if it isn't
    /// counted.
    virtual std::optional<int> counted_method() const REQUIRES(the_lock) = 0;

    /// Sends its end, which is due to `why`.
    virtual void say_end(Refusal why) REQUIRES(the_lock) = 0;
    virtual void say_denial(const Denial& denial) REQUIRES(the_lock) = 0;

    /// Drops its messages, which will not be answered.
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
    void give_job_back(Message& message) REQUIRES(the_lock);
    void abandon(const Message& message) REQUIRES(the_lock);
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
    StreamControl& streams_;
    Shared& shared_;
    const std::int32_t stream_;
    std::uint64_t caller_;
    Network* network_;
    Account* account_;
    std::size_t method_ = 0;  // index
    const double arrived_;
    double deadline_ = never;

    bool holds_slot_ = false;
    bool is_owed_ = false;  // it was let in, and a server that stops waits for its answer to be read
    bool is_counted_by_python_ = false;  // a call of one message that was taken
    bool is_shared_out_ = false;  // it is served in slices
    Entry<std::multimap<double, Call*>> due_;  // among the deadlines
    Entry<std::list<Call*>> reading_;  // among those whose requests are on their way
    Entry<std::list<Call*>> receiving_;  // among those of its network whose message has begun to come

    // What came.
    Metadata metadata_;
    std::string forwarded_, x_forwarded_for_;  // what a trusted proxy says of who calls
    std::size_t header_bytes_ = 0;
    std::size_t traceparents_ = 0;
    bool is_unsampled_ = false;
    Key key_ = Key::none;
    std::string key_digest_;  // SHA-256 of a known one
    std::shared_ptr<Usage> usage_;  // of its holder, where that is counted
    Budget held_;  // bytes that came, and were not taken
    double came_ = 0;  // time at which more of its message came, while it is among those
    bool has_closed_ = false, is_reset_ = false;  // its caller sends no more, or wants no answer

    // What goes.
    Chunks out_;
    std::size_t unread_ = 0;
    std::uint64_t put_ = 0, sent_ = 0;  // bytes, since the call began
    std::uint64_t noted_ = 0;  // bytes that had left when it was last noted that it gets on
    double progressed_;  // time of that
    Refusal refusal_ = Refusal::none;  // why the transport refused it
    bool is_over_ = false;  // how it ends is said
};

}  // namespace transport
