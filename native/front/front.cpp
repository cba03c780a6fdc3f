#include "front.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace front {
namespace {

constexpr double unattended_s = 0.002;  // for which the sockets may be, while all others are busy
constexpr double ticks_s = 0.025;
constexpr std::size_t most_ended = 1 << 16;

std::chrono::duration<double> seconds(double count) { return std::chrono::duration<double>(count); }

}  // namespace

std::optional<Batch> Front::take(std::size_t most, double wait_s, double queue_s) {
    const double end = now() + wait_s;
    std::unique_lock lock(mutex_);
    state_.queue_s = queue_s;
    if (!is_polling_ && !has_stopped_) poll(lock, 0);  // what came meanwhile makes a larger batch
    while (!has_stopped_ && state_.line.size() == 0 && state_.gone.empty()) {
        const double left = end - now();
        if (left <= 0) break;
        if (!is_polling_) {
            poll(lock, left);
        } else {
            ++idle_;
            changed_.wait_for(lock, seconds(left));
            --idle_;
        }
    }
    if (has_stopped_) return std::nullopt;
    Batch taken = batch(most);
    if (idle_) changed_.notify_one();  // somebody has to take the rest, or to look at the sockets
    send_listed();
    return taken;
}

Batch Front::batch(std::size_t most) {
    Batch batch;
    std::size_t bytes = 0;
    while (batch.messages.size() < most || state_.line.begins_with_probe()) {
        Message* message = state_.line.take();
        if (!message) break;
        Call& call = *message->call;
        message->state = Message::State::taken;
        state_.taken.emplace(message->id, message);
        if (call.kind == Kind::unary) call.is_counted_by_python = true;
        bytes += message->size;
        call.connection->taken(*message);
        batch.messages.push_back({message->id, call.method, std::move(message->content), call.deadline, call.metadata, call.caller, message->arrived});
        message->content.clear();
    }
    state_.line.moved(bytes, now());
    batch.gone.swap(state_.gone);
    return batch;
}

void Front::answer(const Answers& answers) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, content] : answers) {
        const auto found = state_.taken.find(id);
        if (found == state_.taken.end()) continue;  // its caller has left
        Message& message = *found->second;
        state_.taken.erase(found);
        Connection& connection = *message.call->connection;
        connection.answer(message, content);
        list(connection);
    }
    send_listed();
    if (state_.line.size() > 0) wake();
}

void Front::fail(const Failures& failures) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, status] : failures) {
        const auto found = state_.taken.find(id);
        if (found == state_.taken.end()) continue;
        Message& message = *found->second;
        Connection& connection = *message.call->connection;
        connection.fail(message, status);
        list(connection);
    }
    send_listed();
}

std::vector<Ended> Front::ended() {
    const std::lock_guard lock(mutex_);
    return std::exchange(state_.ended, {});
}

void Front::set_serving(bool serving) {
    const std::lock_guard lock(mutex_);
    if (state_.is_draining || state_.is_serving == serving) return;
    state_.is_serving = serving;
    for (Call* watcher : state_.watchers) {
        watcher->connection->tell_watcher(*watcher);
        list(*watcher->connection);
    }
    send_listed();
}

void Front::drain() {
    set_serving(false);
    const std::lock_guard lock(mutex_);
    state_.is_draining = true;
    for (const auto& [id, connection] : connections_) {
        connection->drain();
        list(*connection);
    }
    send_listed();
}

double Front::quiet_s() {
    const std::lock_guard lock(mutex_);
    return now() - state_.began;
}

bool Front::is_idle() const {
    return state_.calls == state_.watchers.size() &&
           std::all_of(connections_.begin(), connections_.end(), [](const auto& entry) { return entry.second->is_flushed(); });
}

bool Front::wait_idle(double timeout_s) {
    const double end = now() + timeout_s;
    std::unique_lock lock(mutex_);
    while (!is_idle()) {
        if (now() >= end) return false;
        looked_.wait_for(lock, seconds(ticks_s));
    }
    return true;
}

void Front::stop(double grace_s) {
    const double end = now() + grace_s;
    std::unique_lock lock(mutex_);
    if (has_stopped_) return;
    watch_listeners(false);
    for (const auto& [id, connection] : connections_) {
        connection->go_away();
        list(*connection);
    }
    send_listed();
    while (!connections_.empty() && now() < end) looked_.wait_for(lock, seconds(ticks_s));
    connections_.clear();
    listed_.clear();
    has_stopped_ = is_ending_ = true;
    wake();
    changed_.notify_all();
    looked_.notify_all();
    lock.unlock();
    if (own_.joinable()) own_.join();
}

std::map<std::string, double> Front::figures() {
    const std::lock_guard lock(mutex_);
    const double lag = std::exchange(most_lag_s_, 0);
    return {{"connections", double(connections_.size())},
            {"connections_begun", double(state_.connections_begun)},
            {"calls", double(state_.calls)},
            {"calls_begun", double(state_.calls_begun)},
            {"places", double(state_.places)},
            {"waiting", double(state_.line.size())},
            {"taken", double(state_.taken.size())},
            {"wait_s", state_.line.wait_s()},
            {"held_bytes", double(state_.held_bytes)},
            {"unread_bytes", double(state_.unread_bytes)},
            {"received_bytes", double(state_.received_bytes)},
            {"sent_bytes", double(state_.sent_bytes)},
            {"resets", double(state_.resets)},
            {"lag_s", lag}};
}

/// Looks at the sockets while nobody else does. What is too old ends here, too.
void Front::look_after() {
    std::unique_lock lock(mutex_);
    while (!is_ending_) {
        const double time = now();
        if (!is_polling_ && time - polled_at_ >= unattended_s) {
            most_lag_s_ = std::max(most_lag_s_, time - polled_at_);
            poll(lock, 0);
            if (idle_ && (state_.line.size() > 0 || !state_.gone.empty())) changed_.notify_one();
        }
        if (time - ticked_at_ >= ticks_s) tick(time);
        looked_.wait_for(lock, seconds(is_polling_ ? ticks_s : unattended_s));
    }
}

void Front::tick(double time) {
    ticked_at_ = time;
    auto& deadlines = state_.deadlines;
    for (auto next = deadlines.begin(); next != deadlines.end() && next->first <= time; next = deadlines.begin()) {
        Call& call = *next->second;
        deadlines.erase(next);
        call.connection->end(call, state_.status("expired"), "");
        list(*call.connection);
    }
    std::vector<std::uint64_t> over;
    for (const auto& [id, connection] : connections_) {
        if (!connection->tick(time)) over.push_back(id);
        else list(*connection);
    }
    if (state_.unread_bytes > state_.limits.unread_total_bytes && connections_.size() > over.size()) {
        const auto greediest = std::max_element(connections_.begin(), connections_.end(), [](const auto& one, const auto& other) {
            return one.second->unread_bytes() < other.second->unread_bytes();
        });
        over.push_back(greediest->first);
    }
    for (const std::uint64_t id : over) close(id);
    send_listed();
    if (!is_listening_ && !is_ending_) watch_listeners(true);
    if ((state_.line.size() > 0 || !state_.gone.empty())) wake();
}

}  // namespace front
