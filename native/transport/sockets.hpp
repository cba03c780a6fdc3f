// The sockets of a transport: those that listen, and the connections that came by them.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "descriptor.hpp"
#include "lock.hpp"
#include "shared.hpp"

namespace transport {

/// Bound socket that listens.
struct Listener {
    int socket;
    bool is_http = false;      // else gRPC's
    bool is_encrypted = true;  // once there are certificates
    bool is_for_probes = false;
};

/// Listening sockets and connections of a transport, and the `epoll` that watches them.
class Sockets {
public:
    using Certificates = std::array<std::shared_ptr<Tls>, 2>;  // of gRPC's listeners, and of HTTP's

    /// Takes over `listeners` for the transport with this lock. Nothing is accepted before `listen`.
    Sockets(Mutex& mutex, Shared& shared, std::vector<Listener> listeners);
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;

    /// Accepts connections, from now on or again: there may be file descriptors again after none were left.
    void listen() REQUIRES(the_lock);

    /// Uses these certificates for new connections.
    void set_tls(Certificates tls) REQUIRES(the_lock) { tls_ = std::move(tls); }

    /// Polls once, and handles what has arrived. The lock is released while it sleeps.
    void poll(double timeout_s) REQUIRES(the_lock);

    /// Makes the thread that sleeps in `poll` return.
    void wake() REQUIRES(the_lock);

    /// Sends what has become ready.
    void send_listed() REQUIRES(the_lock);

    /// While unread answers exceed the limit, closes the connection with the most unread of the network that has the
    /// most; on a trusted proxy's connection only that network's calls end.
    void shed_unread() REQUIRES(the_lock);

    /// Drops unread answers of a network, so that `bytes` of a more modest one's can be made; returns false if there is
    /// none.
    bool shed_unread_for(const Network& modest, std::size_t bytes) REQUIRES(the_lock);

    /// Ends what is due by that time, and reads paused connections again.
    void tick(double time) REQUIRES(the_lock);

    /// Returns whether all answers were passed to the sockets.
    bool are_flushed() const REQUIRES(the_lock);

    /// Ends calls with incomplete requests, and streams after the messages that were read are answered.
    void drain() REQUIRES(the_lock);

    /// Stops listening, and lets each connection end with its open calls.
    void go_away() REQUIRES(the_lock);

    /// Ends all connections at once.
    void close_all() REQUIRES(the_lock);
    bool are_closed() const REQUIRES(the_lock) { return connections_.empty(); }

    /// Returns how often connections have been paused so far.
    std::uint64_t rests() const REQUIRES(the_lock) { return rests_; }

private:
    void watch_listeners(bool watched) REQUIRES(the_lock);
    void close_listeners() REQUIRES(the_lock);
    void accept_all(std::size_t index) REQUIRES(the_lock);
    bool admit(Descriptor socket, PeerAddress peer_address, Network& network, bool is_last) REQUIRES(the_lock);
    PeerAddress peer_address_of(std::size_t index, const sockaddr_storage& address) const REQUIRES(the_lock);
    void have_newcomer_rest(Connection& connection) REQUIRES(the_lock);
    void have_spare() REQUIRES(the_lock);
    bool make_way(const Network& newcomer, bool is_http) REQUIRES(the_lock);
    bool have_extra() REQUIRES(the_lock);
    bool has_hung_up(std::uint64_t id) const REQUIRES(the_lock);
    void hang_up(std::uint64_t id) REQUIRES(the_lock);
    void read(const std::vector<std::uint64_t>& ready) REQUIRES(the_lock);
    void have_rest_for(Connection& connection, double seconds, EventKind why) REQUIRES(the_lock);
    void have_rest(Connection& connection, double until, EventKind why) REQUIRES(the_lock);
    void end_rests(double time) REQUIRES(the_lock);
    void watch_for(Connection& connection) REQUIRES(the_lock);
    void close(std::uint64_t id) REQUIRES(the_lock);
    const Network& greediest_in_unread() REQUIRES(the_lock);
    bool shed_unread_of(const Network& greediest) REQUIRES(the_lock);

    Mutex& mutex_;
    Shared& shared_;
    const Descriptor epoll_, wake_;
    Descriptor spare_ GUARDED_BY(the_lock);
    std::vector<Listener> listeners_ GUARDED_BY(the_lock);
    bool is_listening_ GUARDED_BY(the_lock) = false;
    Certificates tls_ GUARDED_BY(the_lock);
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_ GUARDED_BY(the_lock);
    std::uint64_t last_connection_ GUARDED_BY(the_lock) = 0;
    std::vector<std::uint64_t> resting_ GUARDED_BY(the_lock);
    double rested_at_ GUARDED_BY(the_lock) = never;  // when the first of them has rested
    std::uint64_t rests_ GUARDED_BY(the_lock) = 0;  // of connections, so far
};

}  // namespace transport
