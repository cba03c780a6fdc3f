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
constexpr int max_accepted = 64;  // before those that are connected have their turn
constexpr double accepts_s = 0.00025;
constexpr double opens_s = 1.0 / 512,
                 opens_at_once = 256;  // of connections of one network: for each, and how many may come at once
constexpr std::size_t max_extra = 8;  // connections beyond all that there may be, each for a probe or a scrape
constexpr double min_rest_s =
    1;  // after which a connection may be ended for the sake of one that has no more right to it
constexpr double ahead_s =
    0.005;  // that a network may have had more than the one whose turn it is, and is read all the same
constexpr double min_poll_s = 1e-4;  // for which those are read who are ready, though others wait for the lock
constexpr double polls_s =
    0.001;  // for which new calls are read before those that wait have their turn: most may be refused
constexpr double refusal_s = 5e-5;  // that one refusal may take of all time, at most: some eight times what it costs
constexpr double rests_for_one = 16;  // seconds for each that was read in vain
constexpr double max_rest_s = 0.5;

}  // namespace

Sockets::Sockets(Mutex& mutex, Shared& shared, std::vector<Listener> listeners)
    : mutex_(mutex),
      shared_(shared),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      listeners_(std::move(listeners)) {
    if (!epoll_ || !wake_)
        throw std::system_error(errno, std::generic_category(), "the transport's sockets can't be watched");
    watch(epoll_.get(), wake_.get(), waking, EPOLLIN, EPOLL_CTL_ADD);
    have_spare();
}

void Sockets::listen() {
    if (!is_listening_) watch_listeners(true);
}

void Sockets::watch_listeners(bool watched) {
    is_listening_ = watched;
    if (!watched) shared_.due.by(0);
    for (std::size_t index = 0; index < listeners_.size(); ++index)
        watch(epoll_.get(), listeners_[index].socket, listening | index, EPOLLIN,
              watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
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
    const int count = epoll_wait(epoll_.get(), events.data(), int(events.size()), milliseconds);
    mutex_.lock();
    mutex_.stand_back(polls_s);
    if (const double time = now(); time >= rested_at_) end_rests(time);
    std::vector<std::uint64_t> ready;
    for (int index = 0; index < count; ++index) {
        const auto& [flags, data] = events[std::size_t(index)];
        const std::uint64_t what = data.u64;
        if (what == waking) {
            std::uint64_t ignored = 0;
            [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &ignored, sizeof ignored);
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
    [[maybe_unused]] const ssize_t put = ::write(wake_.get(), &one, sizeof one);
}

void Sockets::accept_all(std::size_t index) {
    const double until = now() + accepts_s;
    for (int accepted = 0; accepted < max_accepted && now() <= until && is_listening_ && index < listeners_.size();
         ++accepted) {
        const double began = now();
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const auto accepted_from = [&]() REQUIRES(the_lock) {
            return accept4(listeners_[index].socket, reinterpret_cast<sockaddr*>(&address), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
        };
        int socket = accepted_from();
        const bool is_last = socket < 0 && (errno == EMFILE || errno == ENFILE) && spare_;
        if (is_last) {
            spare_ = {};
            socket = accepted_from();
        }
        Descriptor owned(socket);
        if (!owned) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                shared_.events.note(EventKind::paused, {}, 0, index);
                watch_listeners(false);  // until the next tick
            }
            return have_spare();
        }
        try {
            Network& network = shared_.network(network_of(bytes_of(address)));
            if (admit(std::move(owned), peer_address_of(index, address), network, is_last))
                network.account.charge(std::min(now() - began, accepts_s));
        } catch (const std::bad_alloc&) {
            shared_.events.note(EventKind::no_memory, {}, 0, index);  // its socket is closed
        }
        have_spare();
    }
}

/// Makes a connection of a socket; returns false if there is no room for it. `is_last`: no more descriptors are left.
bool Sockets::admit(Descriptor socket, PeerAddress peer_address, Network& network, bool is_last) {
    const bool is_full =
        is_last || shared_.connections[peer_address.is_http] >= shared_.settings.limits.max_connections;
    if (is_full && !make_way(network, peer_address.is_http)) {
        peer_address.is_extra = peer_address.is_http && !is_last && have_extra();
        if (!peer_address.is_extra) {
            const EventKind why = is_last ? EventKind::no_descriptor : EventKind::turned_away;
            shared_.events.note(why, network.prefix, 0, peer_address.listener);
            shared_.due.by(0);  // its network may be forgotten
            return false;
        }
    }
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max_unsent_by_kernel, sizeof max_unsent_by_kernel);
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which don't delay
    const std::uint64_t id = ++last_connection_;
    const auto& tls = peer_address.is_encrypted ? tls_[peer_address.is_http] : nullptr;
    auto made = std::make_unique<Connection>(shared_, std::move(socket), id, network, tls, std::move(peer_address));
    Connection& connection = *connections_.emplace(id, std::move(made)).first->second;
    connection.watched = EPOLLIN;
    watch(epoll_.get(), connection.socket(), id, EPOLLIN, EPOLL_CTL_ADD);
    connection.list();
    connection.peer().note(connection.peer().peer_address.is_extra ? EventKind::accepted_extra : EventKind::accepted);
    have_newcomer_rest(connection);
    return true;
}

PeerAddress Sockets::peer_address_of(std::size_t index, const sockaddr_storage& address) const {
    const Listener& listener = listeners_[index];
    PeerAddress found{.listener = index,
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

/// Pauses a new connection if its network is paused, or opens more connections than it may, while others are there. Not
/// a trusted proxy's: its callers would wait for what others open, and the proxy limits them.
void Sockets::have_newcomer_rest(Connection& connection) {
    if (connection.peer().peer_address.is_trusted) return;
    Network& network = connection.network();
    const double time = now();
    network.opened_until = std::max(network.opened_until, time - opens_at_once * opens_s) + opens_s;
    const bool has_others = shared_.networks.size() > 1;
    const double until = std::max(has_others ? network.opened_until : 0, network.rests_until);
    if (until > time) have_rest(connection, until, EventKind::rested_new);
}

/// Keeps a spare file descriptor, which is given up when there are no others, to accept a caller and refuse or admit
/// it.
void Sockets::have_spare() {
    if (!spare_) spare_ = fcntl(wake_.get(), F_DUPFD_CLOEXEC, 0);
}

/// Ends a connection so that one of `newcomer` can be accepted by listeners of that kind. In the network that has the
/// most, it is the one that has been useless for the longest; one with unanswered calls only if that network has no
/// idle one, and clearly more connections. No network gives way to one that has more, and within a network only a
/// paused connection does.
bool Sockets::make_way(const Network& newcomer, bool is_http) {
    const auto count_of = [is_http](const Network& network) { return network.connections[is_http]; };
    const Network* const greediest = &shared_.greediest(count_of);
    const bool is_much_greedier = count_of(*greediest) >= 2 * (count_of(newcomer) + 1);
    const auto order = [&](const Connection& one) REQUIRES(the_lock) {
        return std::make_tuple(-double(count_of(one.network())), one.is_busy(), one.peer().used_at);
    };
    Connection* leaver = nullptr;
    for (const auto& [id, connection] : connections_) {
        const PeerAddress& peer_address = connection->peer().peer_address;
        if (peer_address.is_http != is_http || peer_address.is_extra) continue;
        const bool may_leave = !connection->is_busy() || (is_much_greedier && &connection->network() == greediest);
        if (may_leave && (!leaver || order(*connection) < order(*leaver))) leaver = connection.get();
    }
    if (!leaver || count_of(leaver->network()) < count_of(newcomer)) return false;
    const bool is_greedier = count_of(leaver->network()) > count_of(newcomer) + 1;
    if (!is_greedier && now() - leaver->peer().used_at < min_rest_s) return false;
    leaver->peer().ends_for(EventKind::gave_way);
    leaver->give_place_up();
    close(leaver->id());
    return true;
}

/// Makes room for an extra connection above the limit, which is for a probe, so that nobody can keep probes out. If
/// there are too many, the one that has been paused for the longest ends; returns false if none has been.
bool Sockets::have_extra() {
    std::size_t count = 0;
    Connection* leaver = nullptr;
    for (const auto& [id, connection] : connections_) {
        if (!connection->peer().peer_address.is_extra) continue;
        ++count;
        if (!leaver || connection->peer().used_at < leaver->peer().used_at) leaver = connection.get();
    }
    if (count < max_extra) return true;
    leaver->peer().ends_for(EventKind::gave_way);
    close(leaver->id());
    return true;
}

bool Sockets::has_hung_up(std::uint64_t id) const {
    const auto found = connections_.find(id);
    return found != connections_.end() && found->second->has_hung_up();
}

/// Notes that a peer whose socket isn't read now has closed their side.
void Sockets::hang_up(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    found->second->hang_up();
    watch_for(*found->second);
}

/// Reads sockets that are ready, for a limited time: first those of the network that was read the least lately, and
/// within it of the connection that was. So a network with a thousand busy connections is read no more than one with a
/// single one.
void Sockets::read(const std::vector<std::uint64_t>& ready) {
    if (ready.empty()) return;
    double time = now();
    const double until = time + polls_s, enough = time + min_poll_s;
    std::vector<std::tuple<double, double, std::uint64_t>> turns;
    // Who has had more than those who wait is read once it is their turn.
    Message* const next = shared_.lines.small.first();
    const double max_start_tag = next ? next->account->network().start_tag() + ahead_s : never;
    for (const std::uint64_t id : ready) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        const Connection& connection = *found->second;
        const double start_tag = connection.network().account.start_tag();
        if (start_tag <= max_start_tag) turns.emplace_back(start_tag, connection.reading.lately(time), id);
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
        const double refused_s = double(connection.refused()) * refusal_s,
                     vain_s = connection.take_excess() * rests_for_one;
        const EventKind why = vain_s > refused_s ? EventKind::rested_in_vain : EventKind::rested_refused;
        if (refused_s + vain_s > 0) have_rest_for(connection, refused_s + vain_s, why);
    }
}

/// Pauses a connection, so that refusals, and reading that leads to nothing, take a small part of the time, however
/// soon the callers of a network ask again: bytes that weren't read cost less than a refused call.
void Sockets::have_rest_for(Connection& connection, double seconds, EventKind why) {
    const double time = now();
    double& until = connection.network().rests_until;
    until = std::min(std::max(until, time) + seconds, time + max_rest_s);
    have_rest(connection, until, why);
}

/// Stops reading a connection until then.
void Sockets::have_rest(Connection& connection, double until, EventKind why) {
    connection.peer().note(why);
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

/// Makes epoll watch a connection for what it waits for.
void Sockets::watch_for(Connection& connection) {
    const bool may_read = connection.rests_until == 0, reads = may_read && connection.wants_to_read();
    const bool looks = may_read && !reads && !connection.has_hung_up();  // whether its peer closes their side
    const std::uint32_t events =
        (reads ? EPOLLIN : 0u) | (looks ? EPOLLRDHUP : 0u) | (connection.wants_to_write() ? EPOLLOUT : 0u);
    if (std::exchange(connection.watched, events) == events) return;
    watch(epoll_.get(), connection.socket(), connection.id(), events, EPOLL_CTL_MOD);
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
    Peer& peer = found->second->peer();
    peer.note(peer.end);
    watch(epoll_.get(), found->second->socket(), id, 0,
          EPOLL_CTL_DEL);  // a process forked off may keep the socket open
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

/// Closes the connection on which a network has left the most unread. A proxy's connection carries calls of others,
/// too: then only that network's calls end.
bool Sockets::shed_unread_of(const Network& greediest) {
    Peer* of = nullptr;
    for (Peer* peer : shared_.peers)
        if (!of || peer->unread_of(greediest) > of->unread_of(greediest)) of = peer;
    if (!of || of->unread_of(greediest) == 0) return false;
    if (of->peer_address.is_trusted) {
        of->reset_unread(greediest);
    } else {
        of->ends_for(EventKind::shed);
        close(of->id);
    }
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
        connection.peer().ends_for(EventKind::stopped);
        connection.go_away();
        connection.list();
        if (!connection.is_ready()) close(connection.id());
    }
}

void Sockets::close_all() {
    while (!connections_.empty()) close(connections_.begin()->first);
}

}  // namespace transport
