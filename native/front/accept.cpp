// Who is let in: connections as they come, and those that give way to them.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "epoll.hpp"
#include "front.hpp"

namespace front {
namespace {

constexpr int most_accepted = 64;  // before those that are connected have their turn
constexpr double least_rest_s = 1;  // after which a connection may be ended for the sake of one that has no more right to it

/// Returns what one caller's addresses have in common: all of IPv4's, half of IPv6's, nothing of other sockets'.
std::string network_of(const sockaddr_storage& address) {
    if (address.ss_family == AF_INET) {
        const auto& found = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
        return {reinterpret_cast<const char*>(&found), sizeof found};
    }
    if (address.ss_family != AF_INET6) return {};
    const auto& found = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    const auto* const bytes = reinterpret_cast<const char*>(&found);
    return IN6_IS_ADDR_V4MAPPED(&found) ? std::string(bytes + 12, 4) : std::string(bytes, 8);
}

}  // namespace

void Front::watch_listeners(bool watched) {
    is_listening_ = watched;
    for (std::size_t place = 0; place < listeners_.size(); ++place)
        watch(epoll_, listeners_[place], listening | place, EPOLLIN, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
}

void Front::close_listeners() {
    watch_listeners(false);
    for (const int listener : std::exchange(listeners_, {})) ::close(listener);
}

void Front::accept_all(std::size_t place) {
    for (int accepted = 0; accepted < most_accepted && is_listening_ && place < listeners_.size(); ++accepted) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const int socket = accept4(listeners_[place], reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) watch_listeners(false);  // until the next tick
            return;
        }
        const std::string network = network_of(address);
        if (connections_.size() >= state_.limits.max_connections && !make_way(network)) {
            ::close(socket);
            continue;
        }
        const int on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which don't delay
        const std::uint64_t id = ++last_connection_;
        const auto& connection = connections_.emplace(id, std::make_unique<Connection>(state_, socket, id, network, tls_)).first->second;
        watch(epoll_, socket, id, EPOLLIN, EPOLL_CTL_ADD);
        connection->list();
    }
}

/// Ends a connection so that one of `network` may come: of the network that has the most, the one that has been of no use for the
/// longest. Nobody gives way to a network that has more, and within one only who has rested.
bool Front::make_way(const std::string& network) {
    std::unordered_map<std::string_view, std::size_t> counts;
    for (const auto& [id, connection] : connections_) ++counts[connection->network];
    const auto gives_way_before = [&](const Connection& one, const Connection& other) {
        const std::size_t ones = counts[one.network], others = counts[other.network];
        return ones != others ? ones > others : one.used_at() < other.used_at();
    };
    Connection* idlest = nullptr;
    for (const auto& [id, connection] : connections_)
        if (!connection->is_busy() && (!idlest || gives_way_before(*connection, *idlest))) idlest = connection.get();
    if (!idlest || counts[idlest->network] < counts[network]) return false;
    const bool is_greedier = counts[idlest->network] > counts[network] + 1;
    if (!is_greedier && now() - idlest->used_at() < least_rest_s) return false;
    idlest->go_away();
    idlest->send();
    close(idlest->id);
    return true;
}

}  // namespace front
