// The listening sockets of a transport: who connects, for whom another makes room, and which shard they come to.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "descriptor.hpp"
#include "events.hpp"
#include "shard.hpp"

namespace transport {

/// Bound socket that listens.
struct Listener {
    int socket;
    bool is_http = false;      // else gRPC's
    bool is_encrypted = true;  // once there are certificates
    bool is_for_probes = false;
};

/// Accepts connections, and gives each to the shard that has the fewest. (A socket for each shard, SO_REUSEPORT, would
/// spread them by a hash: of four connections two would nearly always share a shard.) Safe to use from several threads;
/// its lock is taken before a shard's.
class Acceptor {
public:
    using Shards = std::vector<std::unique_ptr<Shard>>;
    using Certificates = std::array<std::shared_ptr<Tls>, 2>;  // of gRPC's listeners, and of HTTP's

    /// Takes over `listeners`, which `epoll` watches from `listen` on.
    Acceptor(int epoll, Totals& totals, const Shards& shards, std::vector<Listener> listeners);
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// Accepts connections, from now on or again after a pause.
    void listen();

    /// Returns whether it accepts nobody for a moment, because there were no file descriptors or no memory for sockets.
    bool is_paused() const { return is_paused_; }

    /// Stops listening for good.
    void close();

    /// Uses these certificates for new connections.
    void set_tls(Certificates tls);

    /// Accepts those who have connected to a listener: some of them, so that all others have their turn.
    void accept_all(std::size_t index);

    std::vector<Event> events(bool are_new);

private:
    void watch_listeners(bool watched);
    Descriptor accept_from(std::size_t index, sockaddr_storage& address, bool& is_last);
    void admit(Descriptor socket, PeerAddress peer_address, const std::string& network, bool is_last, double began);
    bool has_place(PeerAddress& peer_address, const std::string& network, bool is_last);
    PeerAddress peer_address_of(std::size_t index, const sockaddr_storage& address) const;
    double rests_until(NetworkTotals& network, const PeerAddress& of) const;
    void have_spare();
    bool make_way(const std::string& newcomer, bool is_http);
    bool have_extra();
    bool end(const Leaver& leaver, bool tells_callers);
    Shard& emptiest();

    const int epoll_;
    Totals& totals_;
    const Shards& shards_;
    std::mutex mutex_;  // of all that follows
    std::vector<Listener> listeners_;
    std::atomic<bool> is_paused_{false};
    bool is_listening_ = false;
    Descriptor spare_;
    Certificates tls_;
    Events events_;
    std::uint64_t last_connection_ = 0;
    std::size_t last_shard_ = 0;
};

}  // namespace transport
