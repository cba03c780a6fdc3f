// Accepts connections, ends others to make room for them, and polls them all, one thread at a time. Whoever has something to send writes
// to them.
#include "sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <new>
#include <system_error>
#include <tuple>
#include <utility>

#include "epoll.hpp"

namespace transport {
namespace {

constexpr int max_unsent_by_kernel = 1 << 17;  // bytes that the socket takes and hasn't sent: else, some megabytes
constexpr int max_accepted = 64;     // before those that are connected have their turn
constexpr double accepts_s = 0.00025;
constexpr double opens_s = 1.0 / 512, opens_at_once = 256;  // of connections of one network: for each, and how many may come at once
constexpr std::size_t max_extra = 8;  // connections beyond all that there may be, each for a probe or a scrape
constexpr double min_rest_s = 1;  // after which a connection may be ended for the sake of one that has no more right to it
constexpr double ahead_s = 0.005;  // that a network may have had more than the one whose turn it is, and is read all the same
constexpr double min_poll_s = 1e-4;  // for which those are read who are ready, though others wait for the lock
constexpr double polls_s = 0.001;  // for which new calls are read before those that wait have their turn: most may be refused
constexpr double refusal_s = 5e-5;   // that one refusal may take of all time, at most: some eight times what it costs
constexpr double rests_for_one = 16;  // seconds for each that was read in vain
constexpr double max_rest_s = 0.5;

}  // namespace

Sockets::Sockets(Mutex& mutex, Shared& shared, std::vector<Listener> listeners)
    : mutex_(mutex), shared_(shared), listeners_(std::move(listeners)) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (epoll_ < 0 || wake_ < 0) throw std::system_error(errno, std::generic_category(), "the transport's sockets can't be watched");
    watch(epoll_, wake_, waking, EPOLLIN, EPOLL_CTL_ADD);
    have_spare();
}

Sockets::~Sockets() {
    ::close(wake_);
    if (spare_ >= 0) ::close(spare_);
    ::close(epoll_);
}

void Sockets::listen() {
    if (!is_listening_) watch_listeners(true);
}

void Sockets::watch_listeners(bool watched) {
    is_listening_ = watched;
    if (!watched) shared_.due.by(0);
    for (std::size_t index = 0; index < listeners_.size(); ++index)
        watch(epoll_, listeners_[index].socket, listening | index, EPOLLIN, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
}

void Sockets::close_listeners() {
    watch_listeners(false);
    for (const Listener& listener : std::exchange(listeners_, {})) ::close(listener.socket);
}

void Sockets::poll(double timeout_s) {
    std::array<epoll_event, 512> events;
    if (timeout_s > 0) timeout_s = std::clamp(rested_at_ - now(), 0.0, timeout_s);
    const int milliseconds = timeout_s > 0 ? int(std::min(std::ceil(timeout_s * 1000), 1e6)) : 0;
    mutex_.unlock();
    const int count = epoll_wait(epoll_, events.data(), int(events.size()), milliseconds);
    mutex_.lock();
    mutex_.stand_back(polls_s);
    if (const double time = now(); time >= rested_at_) end_rests(time);
    std::vector<std::uint64_t> ready;
    for (int index = 0; index < count; ++index) {
        const auto& [flags, data] = events[std::size_t(index)];
        const std::uint64_t what = data.u64;
        if (what == waking) {
            std::uint64_t ignored = 0;
            [[maybe_unused]] const ssize_t got = ::read(wake_, &ignored, sizeof ignored);
        } else if (what & listening) {
            accept_all(what & ~listening);  // some of those that are ready may have to go
        } else if (flags & (EPOLLERR | EPOLLHUP) && has_hung_up(what)) {
            close(what);  // its peer has left altogether
        } else if (flags & EPOLLRDHUP) {
            hang_up(what);
        } else {
            ready.push_back(what);
        }
    }
    read(ready);
    shared_.shed();
    send_listed();
    shed_unread();
}

void Sockets::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(wake_, &one, sizeof one);
}

void Sockets::accept_all(std::size_t index) {
    const double until = now() + accepts_s;
    for (int accepted = 0; accepted < max_accepted && now() <= until && is_listening_ && index < listeners_.size(); ++accepted) {
        const double began = now();
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const auto accepted_from = [&]() REQUIRES(the_lock) {
            return accept4(listeners_[index].socket, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        };
        int socket = accepted_from();
        const bool is_last = socket < 0 && (errno == EMFILE || errno == ENFILE) && spare_ >= 0;
        if (is_last) {
            ::close(std::exchange(spare_, -1));
            socket = accepted_from();
        }
        Descriptor owned(socket);
        if (!owned) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) watch_listeners(false);  // until the next tick
            return have_spare();
        }
        try {
            Network& network = shared_.network(network_of(bytes_of(address)));
            if (let_in(std::move(owned), endpoint_of(index, address), network, is_last))
                network.account.charge(std::min(now() - began, accepts_s));
        } catch (const std::bad_alloc&) {  // who came is not let in
        }
        have_spare();
    }
}

/// Makes a connection of a socket; false where there is no room for it. `is_last` where there are no more descriptors.
bool Sockets::let_in(Descriptor socket, Endpoint endpoint, Network& network, bool is_last) {
    const bool is_full = is_last || shared_.connections[endpoint.is_http] >= shared_.settings.limits.max_connections;
    if (is_full && !make_way(network, endpoint.is_http)) {
        endpoint.is_extra = endpoint.is_http && !is_last && have_extra();
        if (!endpoint.is_extra) return shared_.due.by(0), false;  // its network may be forgotten
    }
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max_unsent_by_kernel, sizeof max_unsent_by_kernel);
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which don't delay
    const std::uint64_t id = ++last_connection_;
    const auto& tls = endpoint.is_encrypted ? tls_[endpoint.is_http] : nullptr;
    auto made = std::make_unique<Connection>(shared_, std::move(socket), id, network, tls, std::move(endpoint));
    Connection& connection = *connections_.emplace(id, std::move(made)).first->second;
    connection.watched = EPOLLIN;
    watch(epoll_, connection.socket(), id, EPOLLIN, EPOLL_CTL_ADD);
    connection.list();
    have_newcomer_rest(connection);
    return true;
}

Endpoint Sockets::endpoint_of(std::size_t index, const sockaddr_storage& address) const {
    const Listener& listener = listeners_[index];
    Endpoint found{.listener = index,
                   .is_http = listener.is_http,
                   .is_encrypted = listener.is_encrypted && tls_[listener.is_http],
                   .is_extra = false,
                   .address = {},
                   .port = 0,
                   .is_for_probes = listener.is_for_probes,
                   .is_trusted = shared_.settings.proxies.holds(bytes_of(address))};
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

/// Has a new connection of a network rest that rests already, or that opens more of them than it may in a time: where others are there.
/// Not a trusted proxy's, by which a newcomer would wait for what others open: it is the proxy that bounds them.
void Sockets::have_newcomer_rest(Connection& connection) {
    if (connection.peer().endpoint.is_trusted) return;
    Network& network = connection.network();
    const double time = now();
    network.opened_until = std::max(network.opened_until, time - opens_at_once * opens_s) + opens_s;
    const bool has_others = shared_.networks.size() > 1;
    const double until = std::max(has_others ? network.opened_until : 0, network.rests_until);
    if (until > time) have_rest(connection, until);
}

/// Keeps a descriptor that can be given up, so that who comes where there are no more can be told so, or let in for another.
void Sockets::have_spare() {
    if (spare_ < 0) spare_ = fcntl(wake_, F_DUPFD_CLOEXEC, 0);
}

/// Ends a connection so that one of `newcomer` may come to listeners of that kind: of the network that has the most, the one that has been of no use for the
/// longest; one whose calls are not answered yet only where none is idle there, and where that network has clearly more. Nobody
/// gives way to a network that has more, and within one only who has rested.
bool Sockets::make_way(const Network& newcomer, bool is_http) {
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
    if (!is_greedier && now() - leaver->peer().used_at < min_rest_s) return false;
    leaver->give_place_up();
    close(leaver->id());
    return true;
}

/// Makes room for a connection beyond all that there may be, which is there for a probe: whoever holds all others keeps no
/// probe out. Of too many of them the one that has rested for the longest ends; false where none of them has.
bool Sockets::have_extra() {
    std::size_t count = 0;
    Connection* leaver = nullptr;
    for (const auto& [id, connection] : connections_) {
        if (!connection->peer().endpoint.is_extra) continue;
        ++count;
        if (!leaver || connection->peer().used_at < leaver->peer().used_at) leaver = connection.get();
    }
    if (count >= max_extra) close(leaver->id());
    return true;
}

bool Sockets::has_hung_up(std::uint64_t id) const {
    const auto found = connections_.find(id);
    return found != connections_.end() && found->second->has_hung_up();
}

/// Notes that a peer that isn't read now has closed their side.
void Sockets::hang_up(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    found->second->hang_up();
    watch_for(*found->second);
}

/// Reads those that are ready, for so long: first whose network has lately been read the least, and within it who has. So a network
/// of a thousand connections that always have something to say is read no more than one that has a single one.
void Sockets::read(const std::vector<std::uint64_t>& ready) {
    if (ready.empty()) return;
    double time = now();
    const double until = time + polls_s, enough = time + min_poll_s;
    std::vector<std::tuple<double, double, std::uint64_t>> turns;
    // Who has had more than those who wait is read once it is their turn.
    Message* const next = shared_.lines.small.first();
    const double max_had = next ? next->account->network().had() + ahead_s : never;
    for (const std::uint64_t id : ready) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        const Connection& connection = *found->second;
        const double had = connection.network().account.had();
        if (had <= max_had) turns.emplace_back(had, connection.reading.lately(time), id);
    }
    std::sort(turns.begin(), turns.end());
    for (const auto& [networks, own, id] : turns) {
        if (time > until || (mutex_.is_wanted() && time > enough)) return;
        Connection& connection = *connections_.find(id)->second;
        const std::uint64_t before = shared_.begun.received_bytes;
        const bool goes_on = connection.receive(until);
        const double began = std::exchange(time, now());
        connection.peer().charge(time - began, shared_.begun.received_bytes - before, shared_.read);
        connection.reading.add(time - began, time);
        if (!goes_on) {
            close(id);
            continue;
        }
        connection.list();  // if only to write: TLS may have waited with reading for that
        const double rest_s = double(connection.refused()) * refusal_s + connection.take_excess() * rests_for_one;
        if (rest_s > 0) have_rest_for(connection, rest_s);
    }
}

/// Reads a connection no more for a while, so that refusals, and reading that nothing comes of, take a small part of the time,
/// however soon the callers of a network ask again: what has come and was not read is worth no more than a call that is refused.
void Sockets::have_rest_for(Connection& connection, double seconds) {
    const double time = now();
    double& until = connection.network().rests_until;
    until = std::min(std::max(until, time) + seconds, time + max_rest_s);
    have_rest(connection, until);
}

/// Reads a connection no more until then.
void Sockets::have_rest(Connection& connection, double until) {
    rested_at_ = std::min(rested_at_, until);
    if (connection.rests_until == 0) resting_.push_back(connection.id());
    connection.rests_until = until;
    ++rests_;
    shared_.due.by(until);
    watch_for(connection);
}

void Sockets::end_rests(double time) {
    rested_at_ = never;
    std::erase_if(resting_, [&](std::uint64_t id) REQUIRES(the_lock) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) return true;
        Connection& connection = *found->second;
        if (connection.rests_until > time) {
            rested_at_ = std::min(rested_at_, connection.rests_until);
            shared_.due.by(connection.rests_until);
            return false;
        }
        connection.rests_until = 0;
        watch_for(connection);
        return true;
    });
}

/// Has epoll watch a connection for what it waits for.
void Sockets::watch_for(Connection& connection) {
    const bool may_read = connection.rests_until == 0, reads = may_read && connection.wants_to_read();
    const bool looks = may_read && !reads && !connection.has_hung_up();  // whether its peer closes their side
    const std::uint32_t events = (reads ? EPOLLIN : 0u) | (looks ? EPOLLRDHUP : 0u) | (connection.wants_to_write() ? EPOLLOUT : 0u);
    if (std::exchange(connection.watched, events) == events) return;
    watch(epoll_, connection.socket(), connection.id(), events, EPOLL_CTL_MOD);
}

void Sockets::send_listed() {
    // Who is listed meanwhile has their turn the next time.
    for (std::size_t left = shared_.to_send.size(); left > 0 && !shared_.to_send.empty(); --left) {
        Connection& connection = *connections_.find(shared_.to_send.front()->id)->second;
        Network& network = connection.network();
        if (!connection.send()) close(connection.id());
        else watch_for(connection);
        if (!network.parked.empty()) shared_.unpark(network);
    }
}

void Sockets::close(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    watch(epoll_, found->second->socket(), id, 0, EPOLL_CTL_DEL);  // a process forked off may keep the socket open
    connections_.erase(found);
}

void Sockets::shed_unread() {
    while (shared_.unread.is_exceeded() && shed_unread_of(greediest_in_unread())) {
    }
}

const Network& Sockets::greediest_in_unread() {
    return shared_.greediest([](const Network& network) { return network.unread.used(); });
}

bool Sockets::shed_unread_for(const Network& modest, std::size_t bytes) {
    const Network& greediest = greediest_in_unread();
    return &greediest != &modest && greediest.unread.used() > modest.unread.used() + bytes && shed_unread_of(greediest);
}

/// Closes the connection by which a network has left the most unread. Through a proxy it has calls of others: then its own calls end.
bool Sockets::shed_unread_of(const Network& greediest) {
    Peer* of = nullptr;
    for (Peer* peer : shared_.peers)
        if (!of || peer->unread_of(greediest) > of->unread_of(greediest)) of = peer;
    if (!of || of->unread_of(greediest) == 0) return false;
    if (of->endpoint.is_trusted) of->reset_unread(greediest);
    else close(of->id);
    return true;
}

void Sockets::tick(double time) {
    for (auto next = connections_.begin(); next != connections_.end();) {
        Connection& connection = *next++->second;
        if (connection.tick(time)) shared_.due.by(connection.due());
        else close(connection.id());
    }
    end_rests(time);
}

bool Sockets::are_flushed() const {
    for (const auto& [id, connection] : connections_)
        if (!connection->is_flushed()) return false;
    return true;
}

void Sockets::drain() {
    for (const auto& [id, connection] : connections_) connection->peer().drain();
}

void Sockets::go_away() {
    close_listeners();
    for (auto next = connections_.begin(); next != connections_.end();) {
        Connection& connection = *next++->second;
        connection.go_away();
        connection.list();
        if (!connection.is_ready()) close(connection.id());
    }
}

void Sockets::close_all() {
    while (!connections_.empty()) close(connections_.begin()->first);
}

}  // namespace transport
