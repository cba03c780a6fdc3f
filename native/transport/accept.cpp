// Accepts connections, and ends others to make room for them.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <tuple>
#include <utility>

#include "epoll.hpp"
#include "transport.hpp"

namespace transport {
namespace {

constexpr int most_unsent_by_kernel = 1 << 17;  // bytes that the socket takes and hasn't sent: else, some megabytes
constexpr int most_accepted = 64;     // before those that are connected have their turn
constexpr double accepts_s = 0.00025;
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

void Transport::watch_listeners(bool watched) {
    is_listening_ = watched;
    if (!watched) shared_.due.by(0);
    for (std::size_t place = 0; place < listeners_.size(); ++place)
        watch(epoll_, listeners_[place], listening | place, EPOLLIN, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
}

void Transport::close_listeners() {
    watch_listeners(false);
    for (const int listener : std::exchange(listeners_, {})) ::close(listener);
}

void Transport::accept_all(std::size_t place) {
    const double until = now() + accepts_s;
    for (int accepted = 0; accepted < most_accepted && now() <= until && is_listening_ && place < listeners_.size(); ++accepted) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const auto accepted_from = [&]() REQUIRES(the_lock) {
            return accept4(listeners_[place], reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        };
        int socket = accepted_from();
        const bool is_last = socket < 0 && (errno == EMFILE || errno == ENFILE) && spare_ >= 0;
        if (is_last) {
            ::close(std::exchange(spare_, -1));
            socket = accepted_from();
        }
        if (socket < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) watch_listeners(false);  // until the next tick
            return have_spare();
        }
        Network& network = shared_.network(network_of(address));
        const bool is_full = is_last || connections_.size() >= shared_.settings.limits.max_connections;
        if (is_full && !make_way(network)) {
            ::close(socket);
            have_spare();
            shared_.due.by(0);  // its network may be forgotten
            continue;
        }
        have_spare();
        setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent_by_kernel, sizeof most_unsent_by_kernel);
        const int on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which don't delay
        const std::uint64_t id = ++last_connection_;
        const auto& connection = connections_.emplace(id, std::make_unique<Connection>(shared_, socket, id, network, tls_)).first->second;
        watch(epoll_, socket, id, EPOLLIN, EPOLL_CTL_ADD);
        connection->list();
        // Who comes again and again is read no sooner than those of its network that stay.
        const double time = now();
        connection->reading.add(network.reading.lately(time) / double(network.connections), time);
    }
}

/// Keeps a descriptor that can be given up, so that who comes where there are no more can be told so, or let in for another.
void Transport::have_spare() {
    if (spare_ < 0) spare_ = fcntl(wake_, F_DUPFD_CLOEXEC, 0);
}

/// Ends a connection so that one of `newcomer` may come: of the network that has the most, the one that has been of no use for the
/// longest; one whose calls are not answered yet only where none is idle there, and where that network has clearly more. Nobody
/// gives way to a network that has more, and within one only who has rested.
bool Transport::make_way(const Network& newcomer) {
    const Network* greediest = nullptr;
    for (const auto& [address, network] : shared_.networks)
        if (!greediest || network.connections > greediest->connections) greediest = &network;
    const bool is_much_greedier = greediest->connections >= 2 * (newcomer.connections + 1);
    const auto order = [](const Connection& one) REQUIRES(the_lock) {
        return std::make_tuple(-double(one.network().connections), one.is_busy(), one.peer().used_at);
    };
    Connection* leaver = nullptr;
    for (const auto& [id, connection] : connections_) {
        const bool may_leave = !connection->is_busy() || (is_much_greedier && &connection->network() == greediest);
        if (may_leave && (!leaver || order(*connection) < order(*leaver))) leaver = connection.get();
    }
    if (!leaver || leaver->network().connections < newcomer.connections) return false;
    const bool is_greedier = leaver->network().connections > newcomer.connections + 1;
    if (!is_greedier && now() - leaver->peer().used_at < least_rest_s) return false;
    leaver->give_place_up();
    close(leaver->id());
    return true;
}

}  // namespace transport
