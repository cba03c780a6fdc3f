#include "acceptor.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <utility>

#include "epoll.hpp"

namespace transport {
namespace {

constexpr int max_unsent_by_kernel = 1 << 17;  // bytes that the socket takes and hasn't sent: else, some megabytes
constexpr int max_accepted = 64;               // before those that are connected have their turn
constexpr double accepts_s = 0.00025;
constexpr double opens_s = 1.0 / 512,
                 opens_at_once = 256;  // of connections of one network: for each, and how many may come at once
constexpr std::size_t max_extra = 8;   // connections beyond all that there may be, each for a probe or a scrape
constexpr double min_rest_s =
    1;  // after which a connection may be ended for the sake of one that has no more right to it

}  // namespace

Acceptor::Acceptor(int epoll, Totals& totals, const Shards& shards, std::vector<Listener> listeners)
    : epoll_(epoll), totals_(totals), shards_(shards), listeners_(std::move(listeners)) {
    have_spare();
}

void Acceptor::listen() {
    const std::lock_guard lock(mutex_);
    if (!is_listening_) watch_listeners(true);
}

void Acceptor::watch_listeners(bool watched) {
    is_listening_ = watched;
    is_paused_ = !watched;
    for (std::size_t index = 0; index < listeners_.size(); ++index)
        watch(epoll_, listeners_[index].socket, listening | index, EPOLLIN, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
}

void Acceptor::close() {
    const std::lock_guard lock(mutex_);
    watch_listeners(false);
    is_paused_ = false;
    for (const Listener& listener : std::exchange(listeners_, {})) ::close(listener.socket);
}

void Acceptor::set_tls(Certificates tls) {
    const std::lock_guard lock(mutex_);
    tls_ = std::move(tls);
}

std::vector<Event> Acceptor::events(bool are_new) {
    const std::lock_guard lock(mutex_);
    return events_.list(are_new);
}

void Acceptor::accept_all(std::size_t index) {
    const std::lock_guard lock(mutex_);
    const double until = now() + accepts_s;
    for (int accepted = 0; accepted < max_accepted && now() <= until && is_listening_ && index < listeners_.size();
         ++accepted) {
        const double began = now();
        sockaddr_storage address{};
        bool is_last = false;
        Descriptor socket = accept_from(index, address, is_last);
        if (!socket) return have_spare();
        try {
            admit(std::move(socket), peer_address_of(index, address), network_of(bytes_of(address)), is_last, began);
        } catch (const std::bad_alloc&) {
            events_.note(EventKind::no_memory, {}, 0, index);  // its socket is closed
        }
        have_spare();
    }
}

/// Accepts a connection; where no other descriptor is left, by the spare one. Returns none where nobody has connected,
/// or that fails.
Descriptor Acceptor::accept_from(std::size_t index, sockaddr_storage& address, bool& is_last) {
    const auto accepted = [&] {
        socklen_t size = sizeof address;
        return accept4(listeners_[index].socket, reinterpret_cast<sockaddr*>(&address), &size,
                       SOCK_NONBLOCK | SOCK_CLOEXEC);
    };
    int socket = accepted();
    is_last = socket < 0 && (errno == EMFILE || errno == ENFILE) && spare_;
    if (is_last) {
        spare_ = {};
        socket = accepted();
    }
    if (socket < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        events_.note(EventKind::paused, {}, 0, index);
        watch_listeners(false);  // for a moment
    }
    return Descriptor(socket);
}

/// Makes a connection of a socket, if there is room for it. `is_last`: no more descriptors are left.
void Acceptor::admit(Descriptor socket, PeerAddress peer_address, const std::string& network, bool is_last,
                     double began) {
    if (!has_place(peer_address, network, is_last)) {
        const EventKind why = is_last ? EventKind::no_descriptor : EventKind::turned_away;
        return events_.note(why, network, 0, peer_address.listener);
    }
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max_unsent_by_kernel, sizeof max_unsent_by_kernel);
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which don't delay
    const auto& tls = peer_address.is_encrypted ? tls_[peer_address.is_http] : nullptr;
    Shard& shard = emptiest();
    const Lock lock(shard.mutex);
    Connection& connection =
        shard.sockets.add(std::move(socket), ++last_connection_, tls, std::move(peer_address), network);
    const double until = rests_until(*connection.network().all, connection.peer().peer_address);
    if (until > now()) shard.sockets.have_rest(connection, until, EventKind::rested_new);
    connection.network().account.charge(std::min(now() - began, accepts_s));
    shard.settle();
}

/// Returns whether there is room for a connection, if need be in place of another or as an extra one.
bool Acceptor::has_place(PeerAddress& peer_address, const std::string& network, bool is_last) {
    const bool is_full =
        is_last || totals_.connections[peer_address.is_http] >= totals_.settings.limits.max_connections;
    if (!is_full || make_way(network, peer_address.is_http)) return true;
    peer_address.is_extra = peer_address.is_http && !is_last && have_extra();
    return peer_address.is_extra;
}

PeerAddress Acceptor::peer_address_of(std::size_t index, const sockaddr_storage& address) const {
    const Listener& listener = listeners_[index];
    PeerAddress found{.listener = index,
                      .is_http = listener.is_http,
                      .is_encrypted = listener.is_encrypted && tls_[listener.is_http],
                      .is_extra = false,
                      .address = {},
                      .port = 0,
                      .is_for_probes = listener.is_for_probes,
                      .is_trusted = totals_.settings.proxies.holds(bytes_of(address))};
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

/// Returns until when a new connection isn't read, because its network rests, or opens more connections than it may
/// while others are there. Not a trusted proxy's: its callers would wait for what others open, and the proxy limits
/// them.
double Acceptor::rests_until(NetworkTotals& network, const PeerAddress& of) const {
    if (of.is_trusted) return 0;
    const double opened_until = std::max(network.opened_until.load(), now() - opens_at_once * opens_s) + opens_s;
    network.opened_until = opened_until;
    const bool has_others = totals_.networks.size() > 1;
    return std::max(has_others ? opened_until : 0, network.rests_until.load());
}

/// Keeps a spare file descriptor, which is given up when there are no others, to accept a caller and refuse or admit
/// it.
void Acceptor::have_spare() {
    if (!spare_) spare_ = Descriptor(fcntl(epoll_, F_DUPFD_CLOEXEC, 0));
}

/// Ends a connection so that one of the network `newcomer` can be accepted by listeners of that kind. In the network
/// that has the most, it is the one that has been useless for the longest; one with unanswered calls only if that
/// network has no idle one, and clearly more connections. No network gives way to one that has more, and within a
/// network only a paused connection does.
bool Acceptor::make_way(const std::string& newcomer, bool is_http) {
    const auto count_of = [is_http](const NetworkTotals& network) { return network.connections[is_http].load(); };
    const auto own = totals_.networks.find(newcomer);
    const std::size_t count = own ? count_of(*own) : 0;
    const auto greediest = totals_.networks.greediest(count_of);
    const bool is_much_greedier = greediest && count_of(*greediest) >= 2 * (count + 1);
    std::optional<Leaver> leaver;
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        const auto found = shard->sockets.leaver(is_http, is_much_greedier ? greediest.get() : nullptr);
        if (found && (!leaver || found->order < leaver->order)) leaver = found;
    }
    if (!leaver || count_of(*leaver->network) < count) return false;
    const bool is_greedier = count_of(*leaver->network) > count + 1;
    if (!is_greedier && now() - leaver->used_at < min_rest_s) return false;
    return end(*leaver, true);
}

/// Makes room for an extra connection above the limit, which is for a probe, so that nobody can keep probes out. If
/// there are too many, the one that has been paused for the longest ends; returns false if none has been.
bool Acceptor::have_extra() {
    std::size_t count = 0;
    std::optional<Leaver> leaver;
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        const auto [more, found] = shard->sockets.extra();
        count += more;
        if (found && (!leaver || found->used_at < leaver->used_at)) leaver = found;
    }
    return count < max_extra || (leaver && end(*leaver, false));
}

bool Acceptor::end(const Leaver& leaver, bool tells_callers) {
    Shard& shard = *shards_[leaver.shard];
    const Lock lock(shard.mutex);
    const bool has_left = shard.sockets.give_way(leaver.id, tells_callers);
    shard.settle();
    return has_left;
}

/// Returns the shard with the fewest connections; of several, the next one.
Shard& Acceptor::emptiest() {
    const auto connections = [this](std::size_t index) { return shards_[index]->standing().connections.load(); };
    std::size_t found = (last_shard_ + 1) % shards_.size();
    for (std::size_t ahead = 2; ahead <= shards_.size(); ++ahead) {
        const std::size_t next = (last_shard_ + ahead) % shards_.size();
        if (connections(next) < connections(found)) found = next;
    }
    last_shard_ = found;
    return *shards_[found];
}

}  // namespace transport
