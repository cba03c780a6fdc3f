// Polls the transport's sockets, one thread at a time. Whoever has something to send writes to them.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "epoll.hpp"
#include "transport.hpp"

namespace transport {
namespace {

constexpr double ahead_s = 0.005;  // that a network may have had more than the one whose turn it is, and is read all the same
constexpr double least_poll_s = 1e-4;  // for which those are read who are ready, though others wait for the lock
constexpr double polls_s = 0.001;  // for which new calls are read before those that wait have their turn: most may be refused
constexpr double refusal_s = 5e-5;   // that one refusal may take of all time, at most: some eight times what it costs
constexpr double rests_for_one = 16;  // seconds for each that was read in vain
constexpr double most_rest_s = 0.5;

/// Marks, while it exists, that a thread polls the sockets. An exception ends it, too.
struct Polling {
    bool& is_polling;
    ~Polling() { is_polling = false; }
};

}  // namespace

Transport::Transport(Settings settings, std::vector<Listener> listeners) : shared_(std::move(settings)), listeners_(std::move(listeners)) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    requests_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (epoll_ < 0 || wake_ < 0 || requests_ < 0) throw std::system_error(errno, std::generic_category(), "the transport's sockets can't be watched");
    watch(epoll_, wake_, waking, EPOLLIN, EPOLL_CTL_ADD);
    have_spare();
}

Transport::~Transport() {
    stop(0);
    ::close(wake_);
    ::close(requests_);
    if (spare_ >= 0) ::close(spare_);
    ::close(epoll_);
}

void Transport::start() {
    const Lock lock(mutex_);
    if (is_ending_ || own_.joinable()) throw std::logic_error("a transport starts once");
    watch_listeners(true);
    own_ = std::thread(&Transport::look_after, this);
}

void Transport::set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca) {
    auto grpc = std::make_shared<Tls>(certificate, key, client_ca, false);
    auto http = std::make_shared<Tls>(certificate, key, "", true);  // whose callers show a key, or nothing
    const Lock lock(mutex_);
    tls_ = {std::move(grpc), std::move(http)};
}

/// Polls the sockets once, and handles what has come. The lock is free while it sleeps.
void Transport::poll(double timeout_s) {
    std::array<epoll_event, 512> events;
    is_polling_ = true;
    const Polling polling{is_polling_};
    if (timeout_s > 0) timeout_s = std::clamp(rested_at_ - now(), 0.0, timeout_s);
    const int milliseconds = timeout_s > 0 ? int(std::min(std::ceil(timeout_s * 1000), 1e6)) : 0;
    mutex_.unlock();
    const int count = epoll_wait(epoll_, events.data(), int(events.size()), milliseconds);
    mutex_.lock();
    mutex_.stand_back(polls_s);
    if (const double time = now(); time >= rested_at_) end_rests(time);
    std::vector<std::uint64_t> ready;
    for (int place = 0; place < count && !has_stopped_; ++place) {
        const auto& [flags, data] = events[std::size_t(place)];
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
    wake_application();
    polled_at_ = now();
    ++polls_;
    wake_own(0);  // it may be that nobody looks from now on
}

bool Transport::has_hung_up(std::uint64_t id) const {
    const auto found = connections_.find(id);
    return found != connections_.end() && found->second->has_hung_up();
}

/// Notes that a peer that isn't read now has closed their side.
void Transport::hang_up(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    found->second->hang_up();
    watch_for(*found->second);
}

/// Reads those that are ready, for so long: first whose network has lately been read the least, and within it who has. So a network
/// of a thousand connections that always have something to say is read no more than one that has a single one.
void Transport::read(const std::vector<std::uint64_t>& ready) {
    if (ready.empty()) return;
    double time = now();
    const double until = time + polls_s, enough = time + least_poll_s;
    std::vector<std::tuple<double, double, std::uint64_t>> turns;
    // Who has had more than those who wait is read once it is their turn.
    Message* const next = shared_.lines.small.first();
    const double most_had = next ? next->account->network().had() + ahead_s : never;
    for (const std::uint64_t id : ready) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        const Connection& connection = *found->second;
        const double had = connection.network().account.had();
        if (had <= most_had) turns.emplace_back(had, connection.reading.lately(time), id);
    }
    std::sort(turns.begin(), turns.end());
    for (const auto& [networks, own, id] : turns) {
        if (has_stopped_ || time > until || (mutex_.is_wanted() && time > enough)) return;
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

void Transport::close(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    watch(epoll_, found->second->socket(), id, 0, EPOLL_CTL_DEL);  // a process forked off may keep the socket open
    connections_.erase(found);
}

void Transport::send_listed() {
    for (const std::uint64_t id : std::exchange(shared_.to_send, {})) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        Connection& connection = *found->second;
        Network& network = connection.network();
        if (!connection.send()) close(id);
        else watch_for(connection);
        if (!network.parked.empty()) shared_.unpark(network);
    }
}

/// Has epoll watch a connection for what it waits for.
void Transport::watch_for(Connection& connection) {
    const bool may_read = connection.rests_until == 0, reads = may_read && connection.wants_to_read();
    const bool looks = may_read && !reads && !connection.has_hung_up();  // whether its peer closes their side
    const std::uint32_t events = (reads ? EPOLLIN : 0u) | (looks ? EPOLLRDHUP : 0u) | (connection.wants_to_write() ? EPOLLOUT : 0u);
    if (std::exchange(connection.watched, events) == events) return;
    watch(epoll_, connection.socket(), connection.id(), events, EPOLL_CTL_MOD);
}

/// Reads a connection no more for a while, so that refusals, and reading that nothing comes of, take a small part of the time,
/// however soon the callers of a network ask again: what has come and was not read is worth no more than a call that is refused.
void Transport::have_rest_for(Connection& connection, double seconds) {
    const double time = now();
    double& until = connection.network().rests_until;
    until = std::min(std::max(until, time) + seconds, time + most_rest_s);
    have_rest(connection, until);
}

/// Reads a connection no more until then.
void Transport::have_rest(Connection& connection, double until) {
    rested_at_ = std::min(rested_at_, until);
    if (connection.rests_until == 0) resting_.push_back(connection.id());
    connection.rests_until = until;
    ++rests_;
    shared_.due.by(until);
    watch_for(connection);
}

void Transport::end_rests(double time) {
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

/// Sends what has become ready. Sending makes room in streams, and what waited for it may be taken.
void Transport::settle() {
    send_listed();
    shed_unread();
    wake_application();
    wake_own(shared_.due.time());
    if (shared_.lines.size() > 0 || shared_.outstanding.has_news()) wake();
}

/// Has whoever reads the least of the network that does go, while more of answers is unread than is allowed in all.
void Transport::shed_unread() {
    while (shared_.unread.is_exceeded() && shed_unread_of(greediest_in_unread())) {
    }
}

const Network& Transport::greediest_in_unread() {
    return shared_.greediest([](const Network& network) { return network.unread.used(); });
}

/// Has a network's answers go that aren't read, so that so many bytes of a more modest one's may be made; false where there is none.
bool Transport::shed_unread_for(const Network& modest, std::size_t bytes) {
    const Network& greediest = greediest_in_unread();
    return &greediest != &modest && greediest.unread.used() > modest.unread.used() + bytes && shed_unread_of(greediest);
}

/// Closes the connection by which a network has left the most unread. Through a proxy it has calls of others: then its own calls end.
bool Transport::shed_unread_of(const Network& greediest) {
    Peer* of = nullptr;
    for (Peer* peer : shared_.peers)
        if (!of || peer->unread_of(greediest) > of->unread_of(greediest)) of = peer;
    if (!of || of->unread_of(greediest) == 0) return false;
    if (of->endpoint.is_trusted) of->reset_unread(greediest);
    else close(of->id);
    return true;
}

void Transport::wake_poller() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(wake_, &one, sizeof one);
}

}  // namespace transport
