// Reads connections that are ready, in turns of their networks, and has those rest that ask for too much. Whoever has
// something to send writes to them.
#include "sockets.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <tuple>
#include <utility>

#include "epoll.hpp"

namespace transport {
namespace {

constexpr double ahead_s =
    0.005;  // that a network may have had more than the one whose turn it is, and is read all the same
constexpr std::size_t max_first_reads = 32,
                      max_first_bytes = 2048;  // connections that are read while the lock is free, and of each
constexpr double min_poll_s = 1e-4;  // for which those are read who are ready, though others wait for the lock
constexpr double polls_s =
    0.001;  // for which new calls are read before those that wait have their turn: most may be refused
constexpr double refusal_s = 5e-5;  // that one refusal may take of all time, at most: some eight times what it costs
constexpr double rests_for_one = 16;  // seconds for each that was read in vain
constexpr double max_rest_s = 0.5;

}  // namespace

Sockets::Sockets(int epoll, Mutex& mutex, Shared& shared)
    : epoll_(epoll), mutex_(mutex), shared_(shared), rested_at_(shared.all->standings[shared.index].rested_at) {
    shared_.close = [this](Peer& peer) REQUIRES(the_lock) { close(peer.id); };
}

void Sockets::begin_reading(std::span<const epoll_event> ready, std::vector<Incoming>& incoming) {
    static thread_local std::array<std::uint8_t, max_first_reads * max_first_bytes> rooms;
    if (const double time = now(); time >= rested_at_) end_rests(time);
    std::vector<std::uint64_t> readable;
    for (const auto& [flags, data] : ready) {
        const std::uint64_t id = epoll::connection_of(data.u64);
        if (flags & (EPOLLERR | EPOLLHUP) && has_hung_up(id)) close(id);  // its peer has left altogether
        else if (flags & EPOLLRDHUP) hang_up(id);
        else readable.push_back(id);
    }
    for (const std::uint64_t id : in_order(readable)) {
        const std::size_t index = incoming.size();
        incoming.emplace_back().id = id;
        if (index >= max_first_reads) continue;
        const auto room = std::span(rooms).subspan(index * max_first_bytes, max_first_bytes);
        connections_.find(id)->second->begin_reading(incoming.back(), room);
    }
}

Connection& Sockets::add(Descriptor socket, std::uint64_t id, const std::shared_ptr<Tls>& tls, PeerAddress peer_address,
                         const std::string& network) {
    auto made = std::make_unique<Connection>(shared_, std::move(socket), id, shared_.network(network), tls,
                                             std::move(peer_address));
    Connection& connection = *connections_.emplace(id, std::move(made)).first->second;
    connection.watched = EPOLLIN;
    watch(epoll_, connection.socket(), epoll::key_of(shared_.index, id), EPOLLIN, EPOLL_CTL_ADD);
    connection.list();
    const bool is_extra = connection.peer().peer_address.is_extra;
    connection.peer().note(is_extra ? EventKind::accepted_extra : EventKind::accepted);
    return connection;
}

Leaver Sockets::leaver_of(Connection& connection, bool is_http) {
    const auto& network = connection.network().all;
    const double used_at = connection.peer().used_at;
    return {connection.id(),
            shared_.index,
            network,
            {-double(network->connections[is_http].load()), connection.is_busy(), used_at},
            used_at};
}

std::optional<Leaver> Sockets::leaver(bool is_http, const NetworkTotals* greediest) {
    std::optional<Leaver> found;
    for (const auto& [id, connection] : connections_) {
        const PeerAddress& peer_address = connection->peer().peer_address;
        if (peer_address.is_http != is_http || peer_address.is_extra) continue;
        if (connection->is_busy() && connection->network().all.get() != greediest) continue;
        const Leaver next = leaver_of(*connection, is_http);
        if (!found || next.order < found->order) found = next;
    }
    return found;
}

std::pair<std::size_t, std::optional<Leaver>> Sockets::extra() {
    std::size_t count = 0;
    std::optional<Leaver> found;
    for (const auto& [id, connection] : connections_) {
        if (!connection->peer().peer_address.is_extra) continue;
        ++count;
        if (!found || connection->peer().used_at < found->used_at) found = leaver_of(*connection, true);
    }
    return {count, found};
}

bool Sockets::give_way(std::uint64_t id, bool tells_callers) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return false;
    found->second->peer().ends_for(EventKind::gave_way);
    if (tells_callers) found->second->give_place_up();
    close(id);
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

/// Returns the connections that are read now: first those of the network that was read the least lately, and within it
/// the connection that was. So a network with a thousand busy connections is read no more than one with a single one.
std::vector<std::uint64_t> Sockets::in_order(std::span<const std::uint64_t> readable) {
    const double time = now();
    std::vector<std::tuple<double, double, std::uint64_t>> turns;
    // Who has had more than those who wait is read once it is their turn.
    Message* const next = shared_.lines.small.first();
    const double max_start_tag = next ? next->account->network().start_tag() + ahead_s : never;
    const auto [elsewhere, elsewhere_tag] = shared_.all->first_small(shared_.index);
    std::optional<double> had;  // by that network, also since it was told
    for (const std::uint64_t id : readable) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        const Connection& connection = *found->second;
        const double start_tag = connection.network().account.start_tag();
        bool is_elsewhere = connection.network().number != elsewhere && start_tag > elsewhere_tag + ahead_s;
        if (is_elsewhere) {
            if (!had) had = shared_.all->networks.used_by(elsewhere);
            is_elsewhere = start_tag > *had + ahead_s;
        }
        if (start_tag <= max_start_tag && !is_elsewhere)
            turns.emplace_back(start_tag, connection.reading.lately(time), id);
    }
    std::sort(turns.begin(), turns.end());
    std::vector<std::uint64_t> ids;
    ids.reserve(turns.size());
    for (const auto& [network, own, id] : turns) ids.push_back(id);
    return ids;
}

void Sockets::read(std::span<const Incoming> incoming) {
    double time = now();
    const double until = time + polls_s, enough = time + min_poll_s;
    for (const Incoming& each : incoming) {
        // What was read already can't wait.
        if (!each.socket && (time > until || (mutex_.is_wanted() && time > enough))) continue;
        try {
            if (connections_.contains(each.id) && !read(each, until, time)) close(each.id);
        } catch (const std::bad_alloc&) {  // to have it rest
            close(each.id);
        }
    }
    shared_.shed();
}

/// Handles what was read of one connection, and reads the rest; returns false if it has ended. `time` is the time.
bool Sockets::read(const Incoming& incoming, double until, double& time) {
    Connection& connection = *connections_.find(incoming.id)->second;
    const std::uint64_t before = shared_.begun.received_bytes;
    const bool goes_on = connection.receive(until, incoming);
    const double began = std::exchange(time, now()), took_s = time - began + incoming.took_s;
    connection.peer().charge(took_s, shared_.begun.received_bytes - before, shared_.all->read);
    connection.reading.add(took_s, time);
    if (!goes_on) return false;
    connection.list();  // if only to write: TLS may have waited with reading for that
    const double refused_s = double(connection.refused()) * refusal_s,
                 vain_s = connection.take_excess() * rests_for_one;
    const EventKind why = vain_s > refused_s ? EventKind::rested_in_vain : EventKind::rested_refused;
    if (refused_s + vain_s > 0) have_rest_for(connection, refused_s + vain_s, why);
    return true;
}

/// Pauses a connection, so that refusals, and reading that leads to nothing, take a small part of the time, however
/// soon the callers of a network ask again: bytes that weren't read cost less than a refused call.
void Sockets::have_rest_for(Connection& connection, double seconds, EventKind why) {
    const double time = now();
    std::atomic<double>& rests_until = connection.network().all->rests_until;
    const double until = std::min(std::max(rests_until.load(), time) + seconds, time + max_rest_s);
    rests_until = until;  // of what two shards add at once, one may be forgotten
    have_rest(connection, until, why);
}

void Sockets::have_rest(Connection& connection, double until, EventKind why) {
    connection.peer().note(why);
    rested_at_ = std::min(rested_at_.load(), until);
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
            rested_at_ = std::min(rested_at_.load(), connection.rests_until);
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
    watch(epoll_, connection.socket(), epoll::key_of(shared_.index, connection.id()), events, EPOLL_CTL_MOD);
}

void Sockets::send_listed() {
    // Who is listed meanwhile has their turn the next time.
    for (std::size_t left = shared_.to_send.size(); left > 0 && !shared_.to_send.empty(); --left)
        if (Connection* const connection = next_to_send()) send(*connection);
}

void Sockets::make_ready(std::vector<Outgoing>& outgoing) {
    for (std::size_t left = shared_.to_send.size(); left > 0 && !shared_.to_send.empty(); --left) {
        Connection* const connection = next_to_send();
        if (!connection) continue;
        if (!connection->make_ready(outgoing.emplace_back())) {
            outgoing.pop_back();
            send(*connection);
        }
    }
}

/// Returns the connection that was listed first. Null where another thread writes to it, which sends the rest, too.
Connection* Sockets::next_to_send() {
    Connection& connection = *connections_.find(shared_.to_send.front()->id)->second;
    if (!connection.is_being_written()) return &connection;
    shared_.to_send.splice(shared_.to_send.end(), shared_.to_send, shared_.to_send.begin());
    return nullptr;
}

void Sockets::send(Connection& connection) {
    Network& network = connection.network();
    if (!connection.send()) close(connection.id());
    else watch_for(connection);
    if (!network.parked.empty()) shared_.unpark(network);
}

void Sockets::wrote(std::vector<Outgoing>& outgoing) {
    for (Outgoing& each : outgoing) {
        const auto found = connections_.find(each.id);
        if (found == connections_.end()) continue;  // it was ended meanwhile
        Connection& connection = *found->second;
        Network& network = connection.network();
        if (!connection.wrote(each)) close(each.id);
        else watch_for(connection);
        if (!network.parked.empty()) shared_.unpark(network);
    }
}

void Sockets::close(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Peer& peer = found->second->peer();
    peer.note(peer.end);
    watch(epoll_, found->second->socket(), id, 0,
          EPOLL_CTL_DEL);  // a process forked off may keep the socket open
    connections_.erase(found);
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
