// What C++ and Python both know by name: bounds, refusals, methods and figures. Each is declared here, once: the
// binding is made from these lists, and the stub that types Python's side is written from the binding. A new bound is
// one line here, and what keeps it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace transport {

/// Limits that the server's settings have under the same names. 0 seconds mean never; for a handshake, at once.
#define TRANSPORT_SETTINGS(X)                                                                                        \
    X(std::size_t, max_message_bytes, 16 << 20, "Most bytes of a message.")                                          \
    X(std::size_t, max_inflated_bytes, 16 << 20, "Most bytes of a compressed message once inflated; 0 allows none.") \
    X(std::size_t, max_header_bytes, 16 << 10, "Most bytes of a call's headers.")                                    \
    X(std::size_t, max_concurrent_requests, 512, "Most unary calls that hold a slot: being read, waiting or taken.") \
    X(std::size_t, max_connections, 512, "Most connections of gRPC's listeners at once, and of HTTP's.")             \
    X(std::size_t, transport_shards, 1, "Parts with a lock each, among which connections are shared out.")           \
    X(double, http_idle_s, 75, "Seconds after which an HTTP connection without requests is closed.")                 \
    X(std::size_t, max_connection_requests, 256, "Most open calls of one connection.")                               \
    X(double, caller_timeout_s, 10, "Seconds for TLS, first frames, and a request whose slot others need.")          \
    X(double, idle_s, 600, "Seconds after which a connection without calls is closed.")                              \
    X(double, age_s, 0, "Seconds after which a connection is replaced, about.")                                      \
    X(double, age_grace_s, 30, "Seconds for the calls on a replaced connection to end.")                             \
    X(double, keepalive_s, 60, "Seconds of silence after which a peer is pinged.")                                   \
    X(double, min_ping_s, 30, "Least seconds between two pings of a peer.")

/// Limits that no setting changes, except in tests.
#define TRANSPORT_CONSTANTS(X)                                                                                    \
    X(double, keepalive_timeout_s, 20, "Seconds in which a peer has to answer a ping.")                           \
    X(int, ping_strikes, 2, "Early pings after which their connection is closed.")                                \
    X(double, stall_s, 300, "Seconds for which a caller may leave its answers unread.")                           \
    X(double, passes_s, 0.5, "Seconds for which workers may stand still before others pass what waits for them.") \
    X(std::size_t, window_messages, 32, "Most messages of one stream in progress.")                               \
    X(std::size_t, window_sentences, 256, "Most sentences of one stream in progress.")                            \
    X(std::size_t, window_bytes, 1 << 20, "Most bytes of one stream in progress.")                                \
    X(std::size_t, held_bytes, 64 << 20, "Most received bytes of untaken requests of a connection.")              \
    X(std::size_t, held_total_bytes, 96 << 20, "Most received bytes of all untaken requests.")                    \
    X(std::size_t, requests, 256, "Most open requests of the application, beyond one a connection.")              \
    X(std::size_t, connection_requests, 16, "Most open requests of the application on one connection.")           \
    X(std::size_t, making_bytes, 128 << 20, "Most bytes of long requests in progress, with their rows.")          \
    X(std::size_t, unread_bytes, 16 << 20, "Most unread bytes of answers, with those being made, a connection.")  \
    X(std::size_t, network_unread_bytes, 64 << 20, "Most unread bytes of answers of a network.")                  \
    X(std::size_t, unread_total_bytes, 256 << 20, "Most bytes of all answers that callers have not read.")

/// Bounds of a transport: those that settings give, and constants.
struct Limits {
#define TRANSPORT_FIELD(type, name, value, words) type name = value;
    TRANSPORT_SETTINGS(TRANSPORT_FIELD)
    TRANSPORT_CONSTANTS(TRANSPORT_FIELD)
#undef TRANSPORT_FIELD
};

/// Reasons for which the transport refuses calls without Python. Python prepares the status for each.
#define TRANSPORT_REFUSALS(X)                                     \
    X(no_key, "The call has no key.")                             \
    X(unknown_key, "The call has an unknown key.")                \
    X(full, "All slots are taken.")                               \
    X(room, "There is no room for its bytes.")                    \
    X(crowded, "Its connection has too many calls open.")         \
    X(connections, "There are too many connections.")             \
    X(late, "It would wait for too much of its time.")            \
    X(expired, "Its deadline has passed.")                        \
    X(draining, "The server is stopping.")                        \
    X(slow, "Its request has not arrived in time.")               \
    X(empty, "It ended without a request.")                       \
    X(large, "Its message has too many bytes.")                   \
    X(inflated, "Its message is too large once inflated.")        \
    X(headers, "Its headers have too many bytes.")                \
    X(timeout, "Its grpc-timeout is invalid.")                    \
    X(unknown, "There is no such method.")                        \
    X(malformed, "Its bytes are malformed.")                      \
    X(compressed, "Its message is compressed as none may be.")    \
    X(unread, "Its connection reads no answers.")                 \
    X(over_rate, "Its key has had its sentences of this second.") \
    X(over_concurrency, "Its key has its sentences in progress.")

/// Reason for which the transport refuses a call; `count` is how many there are.
enum class Refusal {
    none,
#define TRANSPORT_VALUE(name, words) name,
    TRANSPORT_REFUSALS(TRANSPORT_VALUE)
#undef TRANSPORT_VALUE
        count
};

/// Reasons that also occur over HTTP.
inline constexpr std::array http_refusals{
    Refusal::no_key,     Refusal::unknown_key, Refusal::full,     Refusal::room,      Refusal::crowded,
    Refusal::late,       Refusal::expired,     Refusal::draining, Refusal::slow,      Refusal::large,
    Refusal::inflated,   Refusal::headers,     Refusal::unread,   Refusal::over_rate, Refusal::over_concurrency,
    Refusal::connections};

/// What is decided about connections and calls beside answering them, as the log has it.
#define TRANSPORT_EVENTS(X)                                                                                            \
    X(accepted, "A connection was accepted.")                                                                          \
    X(accepted_extra, "A connection was accepted for a probe, though there are as many as may be.")                    \
    X(turned_away, "A new connection was closed: there are as many as may be, and none gives way.")                    \
    X(no_descriptor, "A new connection was closed: this process may open no more files, and no connection gives way.") \
    X(paused, "No connection is accepted for a moment: this process may open no more files, or there is no memory.")   \
    X(rested_new, "A new connection isn't read for a while: its network opens too many, or rests already.")            \
    X(rested_refused,                                                                                                  \
      "A connection isn't read for a while: there was no room for its calls, or its key's share was over.")            \
    X(rested_in_vain, "A connection isn't read for a while: much of what it sends asks for nothing.")                  \
    X(left, "A connection has ended: its caller left.")                                                                \
    X(done, "A connection has ended: all of its answers have gone, and no more is read.")                              \
    X(no_handshake, "A connection has ended: no TLS was agreed on.")                                                   \
    X(slow, "A connection was closed: nobody asked for anything in time, or a request stood still.")                   \
    X(malformed, "A connection was closed: its bytes break the protocol or its bounds.")                               \
    X(pinged, "A connection was closed: it pings too often.")                                                          \
    X(silent, "A connection was closed: it answers no ping.")                                                          \
    X(unread, "A connection was closed: it doesn't read its answers.")                                                 \
    X(shed, "A connection was closed: its network has the most answers unread, and there is no room for more.")        \
    X(no_memory, "A connection was closed, or not accepted: there is no memory for it.")                               \
    X(gave_way, "A connection was closed: another has its place.")                                                     \
    X(idle, "A connection was closed: it had no call for long.")                                                       \
    X(old, "A connection was closed: it had its age.")                                                                 \
    X(stopped, "A connection was closed: the server stops.")                                                           \
    X(call_refused, "A call was refused.")                                                                             \
    X(call_ended, "A call was ended that had been let in.")                                                            \
    X(call_expired, "A call was ended: its deadline has passed.")                                                      \
    X(call_unread, "A call was ended: its caller doesn't read its answer.")                                            \
    X(call_shed, "A call was ended: its network has the most answers unread, and there is no room for more.")          \
    X(call_no_memory, "A call was reset: there is no memory for it.")                                                  \
    X(call_reset, "A call was reset: its frames break the protocol or its bounds.")                                    \
    X(call_parked, "A request was held back: of its connection's or network's answers too much is unread.")

/// What an event tells.
enum class EventKind : std::uint8_t {
#define TRANSPORT_VALUE(name, words) name,
    TRANSPORT_EVENTS(TRANSPORT_VALUE)
#undef TRANSPORT_VALUE
};

/// gRPC status; `details` is a serialised google.rpc.Status for grpc-status-details-bin, or empty.
struct Status {
    int code = 0;
    std::string message;
    std::string details;
};

using Statuses = std::array<Status, std::size_t(Refusal::count)>;  // by the refusal

/// Complete HTTP response. Header names are in lower case.
struct Response {
    int status = 503;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

using Responses = std::array<Response, std::size_t(Refusal::count)>;

/// Method of either protocol that a transport admits.
struct Method {
    std::string path;  // "/package.Service/Method"
    bool is_stream = false;
    bool is_metered = true;  // else it is answered in a full and in a stopping server too, and before all others
    bool is_http = false;    // metered: POST; else a probe or a scrape, GET or HEAD
    std::size_t words = 0;   // place of the responses that refuse its calls, in their caller's words
    bool reads_any_type = false;  // over HTTP a body is JSON whatever its content-type says
};

/// Measurements of the transport: counters, and gauges of what is open or waiting now.
#define TRANSPORT_FIGURES(X)                                         \
    X(connections, "Open connections of gRPC listeners.")            \
    X(http_connections, "Open connections of HTTP listeners.")       \
    X(requests, "Open requests of the application.")                 \
    X(connections_begun, "Connections accepted so far.")             \
    X(calls, "Open calls.")                                          \
    X(calls_begun, "Calls begun so far.")                            \
    X(slots, "Unary calls that hold a slot.")                        \
    X(waiting, "Received messages that were not taken yet.")         \
    X(taken, "Taken messages without an answer yet.")                \
    X(wait_s, "Estimated wait of what waits, in seconds.")           \
    X(held_bytes, "Received bytes of requests that were not taken.") \
    X(making_bytes, "Bytes of long requests in progress.")           \
    X(unread_bytes, "Bytes of answers that callers have not read.")  \
    X(received_bytes, "Bytes received so far, without TLS.")         \
    X(sent_bytes, "Bytes sent so far, without TLS.")                 \
    X(resets, "Calls reset by their callers so far.")                \
    X(reading, "Unary calls whose requests are arriving.")           \
    X(deadlines, "Open calls with a deadline.")                      \
    X(watchers, "Calls that watch health.")                          \
    X(uncounted, "Ended calls that `ended` had no room for.")        \
    X(rests, "Times that a connection was paused so far.")           \
    X(lag_s, "Longest time between two polls since last asked.")

/// Measurements at one moment, all as doubles.
struct Figures {
#define TRANSPORT_FIELD(name, words) double name = 0;
    TRANSPORT_FIGURES(TRANSPORT_FIELD)
#undef TRANSPORT_FIELD
};

/// Measurements that have a limit, with the names of their limits.
#define TRANSPORT_BOUNDED(X)             \
    X(connections, max_connections)      \
    X(http_connections, max_connections) \
    X(slots, max_concurrent_requests)    \
    X(held_bytes, held_total_bytes)      \
    X(making_bytes, making_bytes)        \
    X(unread_bytes, unread_total_bytes)

enum Code { ok = 0, cancelled = 1, deadline_exceeded = 4, not_found = 5 };

/// Returns the code of a call whose caller leaves now: deadline_exceeded shortly before its deadline and after it.
/// Callers see their deadline a little earlier: they send two or three digits of the timeout, rounded up, and their
/// clock starts earlier.
inline Code code_of_leaving(double deadline, double arrived, double time) {
    constexpr double rounding = 0.01, transit_s = 0.01;
    return deadline - time > rounding * (time - arrived) + transit_s ? cancelled : deadline_exceeded;
}

}  // namespace transport
