// What all connections share: bounds, the line, and counts. Whoever touches it holds the transport's lock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "call.hpp"
#include "limits.hpp"
#include "line.hpp"
#include "network.hpp"

namespace transport {

/// Seconds of the clock that Python's time.monotonic reads.
inline double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A call that the transport ended by itself, for Python to count.
struct Ended {
    int method;  // -1 where it was none
    int code;
    std::string_view refusal;  // a literal
    double seconds;
};

class Connection;

struct State {
    Limits limits;
    Statuses statuses;
    std::vector<Method> methods;
    std::vector<std::string> headers;       // that Python wants to see
    std::set<std::string> health_services;  // that grpc.health.v1 knows

    std::optional<std::set<std::string>> keys;  // SHA-256 of each that may call; without a value all may

    std::unordered_map<std::string, Network> networks;  // by the bytes that their addresses begin with
    std::set<Connection*> connections;
    Line line, small, unmetered;  // metered calls, small requests of one method apart, and the unmetered
    std::optional<std::size_t> small_method;
    std::size_t small_bytes = 0, small_sentences = 0;  // of which a small request has no more
    std::unordered_map<std::uint64_t, Message*> taken;
    std::vector<std::uint64_t> listed;  // connections of which something is to be sent
    std::vector<std::uint64_t> gone;  // messages that were taken, and whose callers have left since
    std::vector<Ended> ended;
    std::list<Call*> reading;         // unary calls whose requests are on their way, the oldest first
    std::multimap<double, Call*> deadlines;
    std::set<Call*> watchers;         // of health, and of services that nobody knows
    std::size_t slots = 0;            // unary calls that hold one
    std::size_t calls = 0, owed = 0;  // open ones of every kind, and those whose answers are owed
    std::size_t held_bytes = 0, unread_bytes = 0;
    std::uint64_t last_id = 0;
    double queue_s = 0;               // that a sentence waits in Python now
    double due = std::numeric_limits<double>::infinity();  // no later than the first time of all that comes
    double began = now();             // time at which a call that takes a place, or a stream that does, last began
    bool is_serving = false, is_draining = false;
    std::size_t uncounted = 0;        // calls that `ended` had no room for
    std::uint64_t connections_begun = 0, calls_begun = 0, resets = 0, received_bytes = 0, sent_bytes = 0;

    bool is_metered(const Call& call) const {
        return (call.kind == Kind::unary || call.kind == Kind::stream) && methods[call.method].is_metered;
    }
    /// Returns whether no header came that Python has to look at: a key was looked at here.
    bool has_no_headers(const Call& call) const {
        const auto is_key = [&](const auto& header) { return headers[header.first] == "authorization"; };
        return std::all_of(call.metadata.begin(), call.metadata.end(), is_key);
    }
    bool may_be_small(const Call& call) const {
        return call.kind == Kind::unary && small_method == call.method && has_no_headers(call);
    }
    /// Returns whether a message is served without Python, if its characters are known: what isn't must not pass by the line whose
    /// messages are taken no faster than Python wants them.
    bool is_small(const Message& message) const;

    Line& line_of(const Message& message) {
        if (!is_metered(*message.call)) return unmetered;
        return is_small(message) ? small : line;
    }
    std::size_t waiting() const { return line.size() + small.size() + unmetered.size(); }

    const Status& status(std::string_view kind) const { return statuses.find(kind)->second; }

    /// Returns why a call whose headers have come may not go on, one of `statuses`; empty where it may.
    std::string_view refusal(const Call& call) const;

    /// Counts one more who watches health; false where its network has as many as it may. Of too many in all, one of the network
    /// that has the most ends.
    bool begin_watch(Call& call);

    /// Counts a call no more among those who watch, if it was.
    void end_watch(Call& call);

    /// Returns whether a call would wait in `in` for more of its time than is left of it then.
    bool is_late(const Call& call, const Line& in) const;

    /// Ends calls from the end of `in`, while all that stands before them would take more of their time than they may wait: those
    /// who came after them, and whose turn is before theirs, have made them late.
    void end_late(Line& in);

    /// Estimates how long what Python has taken keeps a message of `in` waiting.
    double taken_s(const Line& in) const { return &in == &small ? 0 : queue_s; }

    /// Ends a call so that `newcomer` may have its place: one whose request has been on its way for too long, or one of whoever
    /// holds the most places, where the newcomer's caller holds none. False where nobody gives way.
    bool make_way(const Call& newcomer);

    /// Ends calls while more of requests is held than is allowed in all: of the network that holds the most, the message that has
    /// stood still for the longest, or else the largest call of the connection that holds the most.
    void shed();

    /// Ends calls whose message has begun, and of which nothing more has come for as long as a handshake may take.
    void end_stalled(double time);
};

}  // namespace transport
