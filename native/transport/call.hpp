// A call, and the messages of it that are on their way. A unary call has one message, a stream a row of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
#include "limits.hpp"

namespace transport {

class Connection;
class Line;
struct Call;

// Bytes that each costs besides its own, about: without them, empty ones by the million would be held for nothing.
constexpr std::size_t header_overhead = 64, message_overhead = 256;

struct Message {
    enum class State { waiting, taken, answered };
    std::uint64_t id = 0;
    Call* call = nullptr;
    State state = State::waiting;
    double arrived = 0;
    std::size_t sentences = 0;
    std::size_t size = 0;  // in bytes, inflated
    bool is_compressed = false;
    std::string content;   // the request while it waits, the response with its prefix once it is answered
    Line* line = nullptr;  // in which it waits
    double tag = 0;              // in that line

    /// Bytes that it holds until it is taken.
    std::size_t cost() const { return size + message_overhead; }
};

enum class Kind { unary, stream, health_check, health_watch, unknown };

/// Data of one HTTP/2 stream; connection.cpp and exchange.cpp say what becomes of it.
struct Call {
    Connection* connection = nullptr;
    std::int32_t stream = 0;
    std::uint64_t caller = 0;
    Kind kind = Kind::unknown;
    std::size_t method = 0;  // index, of a unary call or a stream
    double arrived = 0, deadline = 0;
    std::optional<std::list<Call*>::iterator> reading;  // its place among those whose requests are on their way
    std::optional<std::list<Call*>::iterator> receiving;  // its place among those of its network whose message has begun to come
    std::optional<std::multimap<double, Call*>::iterator> due;  // its place among the deadlines
    bool holds_slot = false;
    bool is_owed = false;        // it was let in, and a server that stops waits for its answer to be read
    bool is_counted_by_python = false;  // a unary call that was taken

    // What came.
    std::vector<std::pair<std::size_t, std::string>> metadata;  // index among the wanted headers, and value
    std::size_t header_bytes = 0;
    enum class Key { none, unknown, known } key = Key::none;
    bool is_grpc = false, is_post = false, is_gzip = false, has_unknown_encoding = false, has_bad_timeout = false;
    Bytes unread;                // not framed yet
    std::size_t held = 0;        // bytes that came, and were not taken
    std::size_t unconsumed = 0;  // bytes whose flow control window wasn't given back
    double came = 0;             // time at which more of its message came, while it is among those
    bool has_closed = false, is_reset = false;  // its caller sends no more, or wants no answer

    // What is on its way, in order.
    std::list<std::unique_ptr<Message>> messages;  // a deque would allocate twice for a call that is refused
    std::size_t sentences = 0, bytes = 0;  // of the messages, and of responses that are not on the wire

    // What goes.
    struct Leaving {
        std::uint64_t end;  // count of response bytes after which it has left
        std::size_t sentences, bytes;
    };
    std::list<Leaving> leaving;
    Bytes out;
    std::uint64_t put = 0, sent = 0;     // bytes, since the call began
    std::uint64_t noted = 0;             // bytes that had left when it was last noted that it gets on
    double progressed = 0;               // time of that
    bool has_begun = false, is_deferred = false;
    std::optional<Status> end;           // the status with which it ends once `messages` is empty
    std::string_view refusal;            // why the transport refused it
    bool is_told = false;                // of changes of health
    bool is_over = false;                // the status is submitted
};

inline bool is_of_health(const Call& call) { return call.kind == Kind::health_check || call.kind == Kind::health_watch; }

}  // namespace transport
