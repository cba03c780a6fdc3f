#include "transport.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace transport {
namespace {

constexpr double unattended_s = 0.002;  // for which the sockets may be, while all others are busy
constexpr double ticks_s = 0.025;       // between two looks at what is over by itself
constexpr double most_rest_s = 3600;

std::chrono::duration<double> seconds(double count) { return std::chrono::duration<double>(count); }

}  // namespace

std::vector<bool> Transport::answer(const Answers& answers) {
    std::vector<bool> are_wanted;
    const auto lock = enter();
    for (const auto& [id, content] : answers) {
        const auto found = state_.taken.find(id);
        are_wanted.push_back(found != state_.taken.end());
        if (found == state_.taken.end()) continue;  // its caller has left
        Message& message = *found->second;
        state_.taken.erase(found);
        message.call->connection->answer(message, content);
    }
    settle();
    return are_wanted;
}

/// Puts plain requests of `method` with at most so many bytes and sentences in a line of their own.
void Transport::set_small(std::size_t method, std::size_t bytes, std::size_t sentences) {
    const auto lock = enter();
    state_.small_method = method;
    state_.small_bytes = bytes;
    state_.small_sentences = sentences;
}

void Transport::fail(const Failures& failures) {
    const auto lock = enter();
    for (const auto& [id, status] : failures) {
        const auto found = state_.taken.find(id);
        if (found == state_.taken.end()) continue;
        Message& message = *found->second;
        message.call->connection->fail(message, status);
    }
    settle();
}

std::vector<Ended> Transport::ended() {
    const auto lock = enter();
    return std::exchange(state_.ended, {});
}

void Transport::set_serving(bool serving) {
    const auto lock = enter();
    set_serving_locked(serving);
    settle();
}

void Transport::set_serving_locked(bool serving) {
    if (state_.is_draining || state_.is_serving == serving) return;
    state_.is_serving = serving;
    for (Call* watcher : state_.watchers) watcher->connection->tell_watcher(*watcher);
}

void Transport::set_keys(std::optional<std::set<std::string>> digests) {
    const auto lock = enter();
    state_.keys = std::move(digests);
}

void Transport::drain() {
    const auto lock = enter();
    set_serving_locked(false);
    state_.is_draining = true;
    for (const auto& [id, connection] : connections_) connection->drain();
    settle();
}

double Transport::quiet_s() {
    const auto lock = enter();
    return now() - state_.began;
}

bool Transport::is_idle() const {
    return state_.owed == 0 &&
           std::all_of(connections_.begin(), connections_.end(), [](const auto& entry) { return entry.second->is_flushed(); });
}

bool Transport::wait_idle(double timeout_s) {
    const double end = now() + timeout_s;
    std::unique_lock lock(mutex_);
    while (!is_idle()) {
        if (now() >= end) return false;
        looked_.wait_for(lock, seconds(ticks_s));
    }
    return true;
}

void Transport::stop(double grace_s) {
    const double end = now() + grace_s;
    std::unique_lock lock(mutex_);
    if (has_stopped_) return;
    close_listeners();
    std::vector<std::uint64_t> unready;
    for (const auto& [id, connection] : connections_) {
        connection->go_away();
        connection->list();
        if (!connection->is_ready()) unready.push_back(id);
    }
    for (const std::uint64_t id : unready) close(id);
    settle();
    while (!connections_.empty() && now() < end) looked_.wait_for(lock, seconds(ticks_s));
    while (!connections_.empty()) close(connections_.begin()->first);
    has_stopped_ = is_ending_ = true;
    changed_.notify_all();
    looked_.notify_all();
    wake_poller();
    std::thread own = std::move(own_);
    lock.unlock();
    if (own.joinable()) own.join();
}

std::map<std::string, double> Transport::figures() {
    const auto lock = enter();
    const double lag = std::exchange(most_lag_s_, 0);
    return {{"connections", double(connections_.size())},
            {"connections_begun", double(state_.connections_begun)},
            {"calls", double(state_.calls)},
            {"calls_begun", double(state_.calls_begun)},
            {"slots", double(state_.slots)},
            {"waiting", double(state_.waiting())},
            {"taken", double(state_.taken.size())},
            {"wait_s", std::max(state_.line.wait_s(), state_.small.wait_s())},
            {"held_bytes", double(state_.held_bytes)},
            {"unread_bytes", double(state_.unread_bytes)},
            {"received_bytes", double(state_.received_bytes)},
            {"sent_bytes", double(state_.sent_bytes)},
            {"resets", double(state_.resets)},
            {"reading", double(state_.reading.size())},
            {"deadlines", double(state_.deadlines.size())},
            {"watchers", double(state_.watchers.size())},
            {"uncounted", double(state_.uncounted)},
            {"rests", double(rests_)},
            {"lag_s", lag}};
}

/// Looks at the sockets while nobody else does. What is too old ends here, too.
void Transport::look_after() {
    std::unique_lock lock(mutex_);
    std::uint64_t polls = 0;  // when it last looked around
    while (!is_ending_) {
        const double time = now();
        try {
            if (!is_polling_ && time - polled_at_ >= unattended_s) {
                most_lag_s_ = std::max(most_lag_s_, time - polled_at_);
                poll(lock, 0);
                if (idle_) changed_.notify_one();  // who came meanwhile waits, and is to look from now on
            }
            if (time >= state_.due && time - ticked_at_ >= ticks_s) tick(time);
        } catch (const std::bad_alloc&) {  // there may be memory the next time: without this thread no deadline ends
        }
        // Who sleeps at the sockets looks at them meanwhile, and wakes this thread once something has come.
        const bool may_rest = is_polling_ && polls_ == std::exchange(polls, polls_);
        rests_until_ = may_rest ? std::max(state_.due, ticked_at_ + ticks_s) : 0;
        const double wait_s = may_rest ? std::min(rests_until_ - now(), most_rest_s) : is_polling_ ? ticks_s : unattended_s;
        looked_.wait_for(lock, seconds(wait_s));
        rests_until_ = 0;
    }
}

/// Wakes the transport's own thread, where it rests beyond then.
void Transport::wake_own(double by) {
    if (rests_until_ <= by) return;
    rests_until_ = 0;
    looked_.notify_all();
}

void Transport::tick(double time) {
    ticked_at_ = time;
    auto& deadlines = state_.deadlines;
    for (auto next = deadlines.begin(); next != deadlines.end() && next->first <= time; next = deadlines.begin()) {
        Call& call = *next->second;
        deadlines.erase(next);
        call.due.reset();
        call.connection->end(call, state_.status("expired"), "");
    }
    state_.due = deadlines.empty() ? std::numeric_limits<double>::infinity() : deadlines.begin()->first;
    state_.end_stalled(time);
    std::vector<std::uint64_t> over;
    for (const auto& [id, connection] : connections_) {
        if (connection->tick(time)) state_.due = std::min(state_.due, connection->due());
        else over.push_back(id);
    }
    for (const std::uint64_t id : over) close(id);
    end_rests(time);
    std::erase_if(state_.networks, [&](const auto& entry) {
        const Network& network = entry.second;
        if (network.connections > 0) return false;
        if (network.rests_until > time) state_.due = std::min(state_.due, network.rests_until);
        return network.rests_until <= time;
    });
    settle();
    if (!is_listening_) watch_listeners(true);
}

}  // namespace transport
