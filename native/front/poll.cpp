// The front's sockets: looked at by one thread at a time, written to by whoever has something to send.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "front.hpp"

namespace front {
namespace {

// What epoll's events carry: a connection's number, or one of these and a listener's place.
constexpr std::uint64_t waking = std::uint64_t(1) << 63, listening = std::uint64_t(1) << 62;

constexpr double polls_s = 0.001;  // for which new calls are read before those that wait have their turn: most may be refused
constexpr int most_accepted = 64;  // before those that are connected have their turn
constexpr double refusal_s = 1e-4;   // that one refusal may take of all time, at most: some 16 times what it costs
constexpr double most_rest_s = 0.5;  // of a connection whose calls are refused
constexpr double least_rest_s = 1;  // after which a connection may be ended for the sake of one that has no more right to it

/// Says that somebody looks at the sockets, until it is gone: an exception, too, lets others look.
struct Polling {
    bool& is_polling;
    ~Polling() { is_polling = false; }
};

void watch(int epoll, int socket, std::uint64_t what, std::uint32_t events, int how) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = what;
    epoll_ctl(epoll, how, socket, &event);
}

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

Front::Front(State state, std::vector<int> listeners) : state_(std::move(state)), listeners_(std::move(listeners)) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (epoll_ < 0 || wake_ < 0) throw std::system_error(errno, std::generic_category(), "the front's sockets can't be watched");
    watch(epoll_, wake_, waking, EPOLLIN, EPOLL_CTL_ADD);
}

Front::~Front() {
    stop(0);
    ::close(wake_);
    ::close(epoll_);
}

void Front::start() {
    const std::lock_guard lock(mutex_);
    if (is_ending_ || own_.joinable()) throw std::logic_error("a front starts once");
    watch_listeners(true);
    own_ = std::thread(&Front::look_after, this);
}

void Front::set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca) {
    auto tls = std::make_shared<Tls>(certificate, key, client_ca);
    const std::lock_guard lock(mutex_);
    tls_ = std::move(tls);
}

void Front::watch_listeners(bool watched) {
    is_listening_ = watched;
    for (std::size_t place = 0; place < listeners_.size(); ++place)
        watch(epoll_, listeners_[place], listening | place, EPOLLIN, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
}

/// Looks at the sockets once. The lock is free while it sleeps.
void Front::poll(std::unique_lock<std::mutex>& lock, double timeout_s) {
    std::array<epoll_event, 64> events;
    is_polling_ = true;
    const Polling polling{is_polling_};
    lock.unlock();
    const int milliseconds = timeout_s > 0 ? int(std::min(std::ceil(timeout_s * 1000), 1e6)) : 0;
    const int count = epoll_wait(epoll_, events.data(), int(events.size()), milliseconds);
    lock.lock();
    const double until = now() + polls_s;
    for (int looked_at = 0; looked_at < count && !has_stopped_ && now() <= until; ++looked_at) {
        // They come in the same order each time: whoever time was left for last is before those who are first now.
        const std::uint64_t what = events[next_++ % std::size_t(count)].data.u64;
        if (what == waking) {
            std::uint64_t ignored = 0;
            [[maybe_unused]] const ssize_t got = ::read(wake_, &ignored, sizeof ignored);
        } else if (what & listening) {
            accept_all(what & ~listening);
        } else if (const auto found = connections_.find(what); found != connections_.end()) {
            Connection& connection = *found->second;
            if (!connection.receive(until)) {
                close(what);
                continue;
            }
            connection.list();  // if only to write: TLS may have waited with reading for that
            if (const std::size_t refused = connection.refused()) have_rest(connection, refused);
        }
    }
    state_.shed();
    send_listed();
    shed_unread();
    polled_at_ = now();
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

void Front::close(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    watch(epoll_, found->second->socket(), id, 0, EPOLL_CTL_DEL);  // a process forked off may keep the socket open
    connections_.erase(found);
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

void Front::close_listeners() {
    watch_listeners(false);
    for (const int listener : std::exchange(listeners_, {})) ::close(listener);
}

void Front::send_listed() {
    for (const std::uint64_t id : std::exchange(state_.listed, {})) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        Connection& connection = *found->second;
        if (!connection.send()) {
            close(id);
        } else if (connection.wants_to_write() != connection.waits_to_write) {
            connection.waits_to_write = connection.wants_to_write();
            watch_for(connection);
        }
    }
}

/// Watches a connection for what it waits for.
void Front::watch_for(Connection& connection) {
    const std::uint32_t reads = connection.rests_until > 0 ? 0 : EPOLLIN, writes = connection.waits_to_write ? EPOLLOUT : 0;
    watch(epoll_, connection.socket(), connection.id, reads | writes, EPOLL_CTL_MOD);
}

/// Reads a connection no more for a while, so that refusals take a small part of the time, however soon their callers ask again:
/// what has come and was not read is worth no more than a call that is refused.
void Front::have_rest(Connection& connection, std::size_t refused) {
    const double time = now();
    refusing_until_ = std::min(std::max(refusing_until_, time) + double(refused) * refusal_s, time + most_rest_s);
    if (connection.rests_until == 0) resting_.push_back(connection.id);
    connection.rests_until = refusing_until_;
    watch_for(connection);
}

void Front::end_rests(double time) {
    std::erase_if(resting_, [&](std::uint64_t id) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) return true;
        Connection& connection = *found->second;
        if (connection.rests_until > time) return false;
        connection.rests_until = 0;
        watch_for(connection);
        return true;
    });
}

/// Sends what has become ready. Sending makes room in streams, and what waited for it may be taken.
void Front::settle() {
    send_listed();
    shed_unread();
    if (state_.waiting() > 0 || !state_.gone.empty()) wake();
}

/// Closes connections of whoever reads the least, while more of answers is unread than is allowed in all.
void Front::shed_unread() {
    while (state_.unread_bytes > state_.limits.unread_total_bytes) {
        const auto greediest = std::max_element(connections_.begin(), connections_.end(), [](const auto& one, const auto& other) {
            return one.second->unread_bytes() < other.second->unread_bytes();
        });
        close(greediest->first);
    }
}

void Front::wake_poller() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(wake_, &one, sizeof one);
}

}  // namespace front
