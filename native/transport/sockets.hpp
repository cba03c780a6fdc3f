// The connections of a shard.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "descriptor.hpp"
#include "lock.hpp"
#include "shared.hpp"

namespace transport {

/// Connection that may be ended to make room for another. Those of several shards are compared.
struct Leaver {
    std::uint64_t id;
    std::size_t shard;
    std::shared_ptr<NetworkTotals> network;
    std::tuple<double, bool, double>
        order;  // who leaves first: by the network's connections, being idle, and since when
    double used_at;
};

/// Connections of a shard.
class Sockets {
public:
    /// `epoll` watches the connections of all shards.
    Sockets(int epoll, Mutex& mutex, Shared& shared);
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;

    /// Finds out which of the connections that are ready are read now, and in what order; closes those that have left.
    /// What can be read of the first ones while the lock is free is prepared in `incoming`: the caller reads it, then
    /// calls `read`.
    void begin_reading(std::span<const epoll_event> ready, std::vector<Incoming>& incoming) REQUIRES(the_lock);

    /// Handles what was read of these connections, and reads the rest.
    void read(std::span<const Incoming> incoming) REQUIRES(the_lock);

    /// Makes a connection of an accepted socket, with a number that no other has.
    Connection& add(Descriptor socket, std::uint64_t id, const std::shared_ptr<Tls>& tls, PeerAddress peer_address,
                    const std::string& network) REQUIRES(the_lock);

    /// Stops reading a connection until then.
    void have_rest(Connection& connection, double until, EventKind why) REQUIRES(the_lock);

    /// Returns the connection of that kind that has been useless for the longest, in the network that has the most; one
    /// with unanswered calls only if it is of `greediest`. None where there is none.
    std::optional<Leaver> leaver(bool is_http, const NetworkTotals* greediest) REQUIRES(the_lock);

    /// Returns how many connections there are above the limit, and which of them has been useless for the longest.
    std::pair<std::size_t, std::optional<Leaver>> extra() REQUIRES(the_lock);

    /// Ends a connection so that another can take its place; returns whether it was still there.
    bool give_way(std::uint64_t id, bool tells_callers) REQUIRES(the_lock);

    /// Sends what has become ready, under the lock.
    void send_listed() REQUIRES(the_lock);

    /// Sends what has become ready. What can be written while the lock is free is left in `outgoing`, for the caller to
    /// write it and to tell `wrote`.
    void make_ready(std::vector<Outgoing>& outgoing) REQUIRES(the_lock);

    /// Notes what became of what `make_ready` has left to the caller.
    void wrote(std::vector<Outgoing>& outgoing) REQUIRES(the_lock);

    /// Ends what is due by that time, and reads paused connections again.
    void tick(double time) REQUIRES(the_lock);

    /// Returns whether all answers were passed to the sockets.
    bool are_flushed() const REQUIRES(the_lock);

    /// Ends calls with incomplete requests, and streams after the messages that were read are answered.
    void drain() REQUIRES(the_lock);

    /// Lets each connection end with its open calls.
    void go_away() REQUIRES(the_lock);

    /// Ends all connections at once.
    void close_all() REQUIRES(the_lock);
    bool are_closed() const REQUIRES(the_lock) { return connections_.empty(); }

    /// Returns how often connections have been paused so far.
    std::uint64_t rests() const REQUIRES(the_lock) { return rests_; }

private:
    Leaver leaver_of(Connection& connection, bool is_http) REQUIRES(the_lock);
    Connection* next_to_send() REQUIRES(the_lock);
    void send(Connection& connection) REQUIRES(the_lock);
    bool has_hung_up(std::uint64_t id) const REQUIRES(the_lock);
    void hang_up(std::uint64_t id) REQUIRES(the_lock);
    bool read(const Incoming& incoming, double until, double& time) REQUIRES(the_lock);
    std::vector<std::uint64_t> in_order(std::span<const std::uint64_t> readable) REQUIRES(the_lock);
    void have_rest_for(Connection& connection, double seconds, EventKind why) REQUIRES(the_lock);
    void end_rests(double time) REQUIRES(the_lock);
    void watch_for(Connection& connection) REQUIRES(the_lock);
    void close(std::uint64_t id) REQUIRES(the_lock);

    const int epoll_;
    Mutex& mutex_;
    Shared& shared_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_ GUARDED_BY(the_lock);
    std::vector<std::uint64_t> resting_ GUARDED_BY(the_lock);
    std::atomic<double>& rested_at_;  // when the first of them has rested
    std::uint64_t rests_ GUARDED_BY(the_lock) = 0;  // of connections, so far
};

}  // namespace transport
