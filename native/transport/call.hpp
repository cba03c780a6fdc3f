// A call: what its caller sent of it, its messages on their way, and what it is answered. A unary call has one message,
// a stream a row of them.
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
#include "entry.hpp"
#include "contract.hpp"
#include "lock.hpp"
#include "message.hpp"
#include "usage.hpp"

namespace transport {

class Peer;
class Shared;
class Streams;

class Call {
public:
    using Metadata = std::vector<std::pair<std::size_t, std::string>>;  // index among the wanted headers, and value

    Call(Peer& peer, Streams& streams, std::int32_t stream) REQUIRES(the_lock);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // What its caller sends, in this order (call.cpp).

    /// Counts a header, or a trailer. False where there are far too many: then the call is over.
    bool bears(std::size_t bytes) REQUIRES(the_lock);
    void header(std::string_view name, std::string_view value) REQUIRES(the_lock);
    void headers_came() REQUIRES(the_lock);
    void data_came(std::string_view bytes) REQUIRES(the_lock);
    void end_came() REQUIRES(the_lock);
    void reset_came() REQUIRES(the_lock) { is_reset_ = true; }

    /// Ends a call whose stream is closed. What was taken of it is over for Python, too.
    void close() REQUIRES(the_lock);

    // What becomes of a message of it that was taken from its line (exchange.cpp).

    /// Notes that it was: it waits here no more.
    void handed_over(Message& message) REQUIRES(the_lock);

    /// Counts its sentences, which `content` holds, in its stream's window.
    void count_sentences(Message& message, std::string_view content) REQUIRES(the_lock);

    /// Refuses a unary call whose message was taken, and of which Python knows nothing.
    void refuse_taken(const Status& status, Refusal refusal) REQUIRES(the_lock);
    void answer(Message& message, std::string_view content) REQUIRES(the_lock);

    /// Ends the call with `status` in the message's place, after all messages before it.
    void fail(const Message& message, const Status& status) REQUIRES(the_lock);

    // What ends it, or not.

    /// Ends the call with `status` now; nothing is done for it any more.
    void end(const Status& status, Refusal refusal) REQUIRES(the_lock);
    void refuse(Refusal refusal) REQUIRES(the_lock);
    void expire() REQUIRES(the_lock);

    /// Ends a call whose request hasn't come whole; a stream that goes on ends once what was read of it is answered.
    void drain() REQUIRES(the_lock);

    /// Ends a call whose caller reads nothing for too long, or which takes no slot and never sends its request.
    void end_if_stalled(double time) REQUIRES(the_lock);

    /// Sends a change of health to who watches it.
    void tell_health() REQUIRES(the_lock);

    // What it is answered (response.cpp).

    struct Piece {
        enum class Then { more, later, end };
        std::size_t size;
        Then then;
    };

    /// Reads what fits of its response's body.
    Piece read(std::span<std::uint8_t> room) REQUIRES(the_lock);

    std::int32_t stream() const { return stream_; }
    std::uint64_t caller() const REQUIRES(the_lock) { return caller_; }
    std::size_t method() const REQUIRES(the_lock) { return method_; }
    double arrived() const { return arrived_; }
    double deadline() const REQUIRES(the_lock) { return deadline_; }
    const Metadata& metadata() const REQUIRES(the_lock) { return metadata_; }

    /// Returns whether no header came with it that Python has to look at: none of a trace that is kept, and no other that
    /// it asked for.
    bool is_plain() const REQUIRES(the_lock);
    const std::string& key_digest() const REQUIRES(the_lock) { return key_digest_; }
    const std::shared_ptr<Usage>& usage() const REQUIRES(the_lock) { return usage_; }
    std::size_t held() const REQUIRES(the_lock) { return held_.used(); }
    double came() const REQUIRES(the_lock) { return came_; }

    /// Returns whether its status is known, with which it ends after the messages that are on their way.
    bool has_ended() const REQUIRES(the_lock) { return is_over_ || end_; }

    /// Returns whether its caller sends no more of it.
    bool is_closed_by_caller() const REQUIRES(the_lock) { return has_closed_ || is_reset_; }

    /// Returns whether another may have its slot: Python hasn't taken it.
    bool may_give_way() const REQUIRES(the_lock) { return holds_slot_ && !is_counted_by_python_; }

private:
    enum class Kind { unary, stream, health_check, health_watch, unknown };
    enum class Key { none, unknown, known };

    /// What of the answers leaves with a byte of them.
    struct Leaving {
        std::uint64_t end;  // count of response bytes after which it has left
        std::size_t sentences, bytes;
    };

    bool is_of_health() const { return kind_ == Kind::health_check || kind_ == Kind::health_watch; }
    bool is_metered() const;
    bool may_be_small() const REQUIRES(the_lock);
    double patience_s() const;
    bool can_wait() const REQUIRES(the_lock);

    // call.cpp
    void set_path(std::string_view path);
    void authorize(std::string_view value) REQUIRES(the_lock);

    // admission.cpp
    Refusal refusal() const REQUIRES(the_lock);
    void take_slot() REQUIRES(the_lock);
    void give_slot_back() REQUIRES(the_lock);
    void disown() REQUIRES(the_lock);
    void note_progress() REQUIRES(the_lock);

    // exchange.cpp
    bool has_room() const REQUIRES(the_lock);
    bool waits_for_request() const REQUIRES(the_lock);
    void advance() REQUIRES(the_lock);
    bool frame_message() REQUIRES(the_lock);
    void accept(std::unique_ptr<Message> message) REQUIRES(the_lock);
    void consume() REQUIRES(the_lock);
    void flush() REQUIRES(the_lock);
    void drop(const Message* from) REQUIRES(the_lock);
    void count(int code) REQUIRES(the_lock);

    // health.cpp
    bool begin_watch() REQUIRES(the_lock);
    void end_watch() REQUIRES(the_lock);
    void check_health(const Message& request) REQUIRES(the_lock);

    // response.cpp
    void put(std::string_view framed, std::size_t sentences, std::size_t bytes) REQUIRES(the_lock);
    void submit() REQUIRES(the_lock);
    void submit_http_status(std::string_view status) REQUIRES(the_lock);

    Peer& peer_;
    Streams& streams_;
    Shared& shared_;
    const std::int32_t stream_;
    std::uint64_t caller_;
    Kind kind_ = Kind::unknown;
    std::size_t method_ = 0;  // index, of a unary call or a stream
    const double arrived_;
    double deadline_ = never;

    bool holds_slot_ = false;
    bool is_owed_ = false;                     // it was let in, and a server that stops waits for its answer to be read
    bool is_counted_by_python_ = false;        // a unary call that was taken
    Entry<std::multimap<double, Call*>> due_;  // among the deadlines
    Entry<std::list<Call*>> reading_;          // among those whose requests are on their way
    Entry<std::list<Call*>> receiving_;        // among those of its network whose message has begun to come
    Entry<std::list<Call*>> watching_;         // among those who watch health

    // What came.
    Metadata metadata_;
    std::size_t header_bytes_ = 0;
    std::size_t traceparents_ = 0;
    bool is_unsampled_ = false, has_other_headers_ = false;
    Key key_ = Key::none;
    std::string key_digest_;  // SHA-256 of a known one
    std::shared_ptr<Usage> usage_;  // of its holder, where that is counted
    bool is_grpc_ = false, is_post_ = false, is_gzip_ = false, has_unknown_encoding_ = false, has_bad_timeout_ = false;
    Bytes unframed_;
    Budget held_;                                 // bytes that came, and were not taken
    std::size_t unconsumed_ = 0;                  // bytes whose flow control window wasn't given back
    double came_ = 0;                             // time at which more of its message came, while it is among those
    bool has_closed_ = false, is_reset_ = false;  // its caller sends no more, or wants no answer

    // What is on its way, in order.
    std::list<std::unique_ptr<Message>> messages_;  // a deque would allocate twice for a call that is refused
    std::size_t sentences_ = 0, bytes_ = 0;         // of the messages, and of responses that are not on the wire

    // What goes.
    std::list<Leaving> leaving_;
    Bytes out_;
    std::uint64_t put_ = 0, sent_ = 0;  // bytes, since the call began
    std::uint64_t noted_ = 0;           // bytes that had left when it was last noted that it gets on
    double progressed_;                 // time of that
    bool has_begun_ = false, is_deferred_ = false;
    std::optional<Status> end_;  // the status with which it ends once `messages_` is empty
    Refusal refusal_ = Refusal::none;  // why the transport refused it
    bool is_told_ = false;       // of changes of health
    bool is_over_ = false;       // the status is submitted
};

}  // namespace transport
