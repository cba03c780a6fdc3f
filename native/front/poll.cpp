// The front's sockets: looked at by one thread at a time, written to by whoever has something to send.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "epoll.hpp"
#include "front.hpp"

namespace front {
namespace {

constexpr double polls_s = 0.001;  // for which new calls are read before those that wait have their turn: most may be refused
constexpr double refusal_s = 1e-4;   // that one refusal may take of all time, at most: some 16 times what it costs
constexpr double most_rest_s = 0.5;  // of a connection whose calls are refused

/// Says that somebody looks at the sockets, until it is gone: an exception, too, lets others look.
struct Polling {
    bool& is_polling;
    ~Polling() { is_polling = false; }
};

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

void Front::close(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    watch(epoll_, found->second->socket(), id, 0, EPOLL_CTL_DEL);  // a process forked off may keep the socket open
    connections_.erase(found);
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
