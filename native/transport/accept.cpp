// Accepts connections, and ends others to make room for them.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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
constexpr double opens_s = 1.0 / 512, opens_at_once = 256;  // of connections of one network: for each, and how many may come at once
constexpr std::size_t most_extra = 8;  // connections beyond all that there may be, each for a probe or a scrape
constexpr double least_rest_s = 1;  // after which a connection may be ended for the sake of one that has no more right to it

}  // namespace

void Transport::watch_listeners(bool watched) {
    is_listening_ = watched;
    if (!watched) shared_.due.by(0);
    for (std::size_t place = 0; place < listeners_.size(); ++place)
        watch(epoll_, listeners_[place].socket, listening | place, EPOLLIN, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
}

void Transport::close_listeners() {
    watch_listeners(false);
    for (const Listener& listener : std::exchange(listeners_, {})) ::close(listener.socket);
}

void Transport::accept_all(std::size_t place) {
    const double until = now() + accepts_s;
    for (int accepted = 0; accepted < most_accepted && now() <= until && is_listening_ && place < listeners_.size(); ++accepted) {
        const double began = now();
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const auto accepted_from = [&]() REQUIRES(the_lock) {
            return accept4(listeners_[place].socket, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
        Network& network = shared_.network(network_of(bytes_of(address)));
        Endpoint endpoint = endpoint_of(place, address);
        const bool is_full = is_last || shared_.connections[endpoint.is_http] >= shared_.settings.limits.max_connections;
        if (is_full && !make_way(network, endpoint.is_http)) {
            endpoint.is_extra = endpoint.is_http && !is_last && have_extra();
            if (!endpoint.is_extra) {
                ::close(socket);
                have_spare();
                shared_.due.by(0);  // its network may be forgotten
                continue;
            }
        }
        have_spare();
        setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent_by_kernel, sizeof most_unsent_by_kernel);
        const int on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which don't delay
        const std::uint64_t id = ++last_connection_;
        const auto& tls = endpoint.is_encrypted ? tls_[endpoint.is_http] : nullptr;
        const auto& connection =
            connections_.emplace(id, std::make_unique<Connection>(shared_, socket, id, network, tls, std::move(endpoint))).first->second;
        connection->watched = EPOLLIN;
        watch(epoll_, socket, id, EPOLLIN, EPOLL_CTL_ADD);
        connection->list();
        have_newcomer_rest(*connection);
        network.account.charge(std::min(now() - began, accepts_s));
    }
}

/// Has a new connection of a network rest that rests already, or that opens more of them than it may in a time: where others are there.
void Transport::have_newcomer_rest(Connection& connection) {
    Network& network = connection.network();
    const double time = now();
    network.opened_until = std::max(network.opened_until, time - opens_at_once * opens_s) + opens_s;
    const bool has_others = shared_.networks.size() > 1;
    const double until = std::max(has_others ? network.opened_until : 0, network.rests_until);
    if (until > time) have_rest(connection, until);
}

/// Keeps a descriptor that can be given up, so that who comes where there are no more can be told so, or let in for another.
void Transport::have_spare() {
    if (spare_ < 0) spare_ = fcntl(wake_, F_DUPFD_CLOEXEC, 0);
}

Endpoint Transport::endpoint_of(std::size_t place, const sockaddr_storage& address) const {
    const Listener& listener = listeners_[place];
    Endpoint found{place, listener.is_http, listener.is_encrypted && tls_[listener.is_http], false, {}, 0, listener.is_for_probes,
                   shared_.settings.proxies.holds(bytes_of(address))};
    if (!listener.is_http) return found;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const auto& four = reinterpret_cast<const sockaddr_in&>(address);
    const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
    const bool is_four = address.ss_family == AF_INET, is_six = address.ss_family == AF_INET6;
    if (is_four) inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
    if (is_six) inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    found.address = text.data();
    found.port = ntohs(is_four ? four.sin_port : is_six ? six.sin6_port : in_port_t(0));
    return found;
}

/// Makes room for a connection beyond all that there may be, which is there for a probe: whoever holds all others keeps no
/// probe out. Of too many of them the one that has rested for the longest ends; false where none of them has.
bool Transport::have_extra() {
    std::size_t count = 0;
    Connection* leaver = nullptr;
    for (const auto& [id, connection] : connections_) {
        if (!connection->peer().endpoint.is_extra) continue;
        ++count;
        if (!leaver || connection->peer().used_at < leaver->peer().used_at) leaver = connection.get();
    }
    if (count >= most_extra) close(leaver->id());
    return true;
}

/// Ends a connection so that one of `newcomer` may come to listeners of that kind: of the network that has the most, the one that has been of no use for the
/// longest; one whose calls are not answered yet only where none is idle there, and where that network has clearly more. Nobody
/// gives way to a network that has more, and within one only who has rested.
bool Transport::make_way(const Network& newcomer, bool is_http) {
    const auto count_of = [is_http](const Network& network) { return network.connections[is_http]; };
    const Network* const greediest = &shared_.greediest(count_of);
    const bool is_much_greedier = count_of(*greediest) >= 2 * (count_of(newcomer) + 1);
    const auto order = [&](const Connection& one) REQUIRES(the_lock) {
        return std::make_tuple(-double(count_of(one.network())), one.is_busy(), one.peer().used_at);
    };
    Connection* leaver = nullptr;
    for (const auto& [id, connection] : connections_) {
        const Endpoint& endpoint = connection->peer().endpoint;
        if (endpoint.is_http != is_http || endpoint.is_extra) continue;
        const bool may_leave = !connection->is_busy() || (is_much_greedier && &connection->network() == greediest);
        if (may_leave && (!leaver || order(*connection) < order(*leaver))) leaver = connection.get();
    }
    if (!leaver || count_of(leaver->network()) < count_of(newcomer)) return false;
    const bool is_greedier = count_of(leaver->network()) > count_of(newcomer) + 1;
    if (!is_greedier && now() - leaver->peer().used_at < least_rest_s) return false;
    leaver->give_place_up();
    close(leaver->id());
    return true;
}

}  // namespace transport
