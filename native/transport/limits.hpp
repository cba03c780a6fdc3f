// The transport's limits, and the statuses that it refuses with, as Python gives them before it starts.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace transport {

/// A gRPC status; `details` is a serialised google.rpc.Status for grpc-status-details-bin, or empty.
struct Status {
    int code = 0;
    std::string message;
    std::string details;
};

enum Code { ok = 0, cancelled = 1, deadline_exceeded = 4, not_found = 5 };

/// The code of a call whose caller leaves now: deadline_exceeded about when its time is over. The caller knows that a little
/// earlier: it sends two or three digits of its timeout, rounded up, and its clock runs from before that.
inline Code code_of_leaving(double deadline, double arrived, double time) {
    constexpr double rounding = 0.01, transit_s = 0.01;
    return deadline - time > rounding * (time - arrived) + transit_s ? cancelled : deadline_exceeded;
}

struct Method {
    std::string path;  // "/package.Service/Method"
    bool is_stream = false;
    bool is_metered = true;  // else it is answered in a full and in a stopping server too, and before all others
};

/// Bounds of connections and calls. Times are in seconds, and 0 is never; of a handshake, at once.
struct Limits {
    std::size_t max_message_bytes = 16 << 20;
    std::size_t max_inflated_bytes = 16 << 20;  // of a message that comes compressed; 0 where none may
    std::size_t max_header_bytes = 16 << 10;
    std::size_t max_calls = 512;        // unary calls that hold a place: being read, waiting or taken
    std::size_t max_connections = 512;
    std::size_t max_streams = 256;      // open calls of one connection
    double handshake_s = 10;            // for TLS and HTTP/2's first frames, and for a request where others need its place
    double idle_s = 600, age_s = 0, age_grace_s = 30;
    double keepalive_s = 60, keepalive_timeout_s = 20;
    double min_ping_s = 30;
    int ping_strikes = 2;
    double stall_s = 300;  // that a caller may leave its answers unread
    std::size_t window_messages = 32, window_sentences = 256, window_bytes = 1 << 20;  // of one stream on their way
    std::size_t held_bytes = 64 << 20, held_total_bytes = 256 << 20;      // requests that came and were not taken, a connection and in all
    std::size_t unread_bytes = 64 << 20, unread_total_bytes = 256 << 20;  // answers that callers have not read
};

/// By name, what Python prepared: full late expired draining no_key unknown_key slow empty large inflated headers timeout unknown
/// malformed compressed unread.
using Statuses = std::map<std::string, Status, std::less<>>;

}  // namespace transport
