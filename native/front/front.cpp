#include "front.hpp"

#include <algorithm>

#include "grpc.hpp"

namespace front {
namespace {

constexpr double unattended_s = 0.002;  // for which the sockets may be, while all others are busy
constexpr double ticks_s = 0.025;
constexpr std::size_t most_probes = 16;  // of one batch, so that no flood of them keeps all else waiting

std::chrono::duration<double> seconds(double count) { return std::chrono::duration<double>(count); }

}  // namespace

std::optional<Batch> Front::take(std::size_t most, double wait_s, double queue_s) {
    const double end = now() + wait_s;
    std::unique_lock lock(mutex_);
    state_.queue_s = queue_s;
    if (!is_polling_ && !has_stopped_) poll(lock, 0);  // what came meanwhile makes a larger batch
    while (!has_stopped_ && state_.waiting() == 0 && state_.gone.empty()) {
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
    lock.unlock();
    inflate(taken);
    return taken;
}

/// Takes what is to be answered by a full server, too, then the rest: each in fair order, and no more bytes than a message may have,
/// unless the first has more.
Batch Front::batch(std::size_t most) {
    Batch batch;
    take_from(state_.probes, most_probes, batch);
    state_.line.moved(take_from(state_.line, most, batch), now());
    batch.gone.swap(state_.gone);
    return batch;
}

/// Returns how many bytes were taken.
std::size_t Front::take_from(Line& line, std::size_t most, Batch& batch) {
    const double time = now();
    std::size_t bytes = 0;
    for (std::size_t count = 0; count < most;) {
        Message* const message = line.first();
        if (!message || (bytes > 0 && bytes + message->size > state_.limits.max_message_bytes)) break;
        if (message->call->deadline <= time) {
            message->call->connection->end(*message->call, state_.status("expired"), "");
            continue;
        }
        ++count;
        line.take();
        state_.taken.emplace(message->id, message);
        bytes += message->size;
        Call& call = *message->call;
        call.connection->taken(*message);
        batch.messages.push_back({message->id, call.method, std::exchange(message->content, {}), call.deadline, call.metadata,
                                  call.caller, message->arrived, message->size, message->is_compressed, false});
    }
    return bytes;
}

/// Inflates what came compressed: once its turn has come, and while others may use the front.
void Front::inflate(Batch& batch) {
    for (Taken& taken : batch.messages) {
        if (!taken.is_compressed) continue;
        auto inflated = gunzip(taken.content, taken.inflated_size);
        taken.is_lost = !inflated;
        if (inflated) taken.content = std::move(*inflated);
        const std::lock_guard lock(mutex_);
        const auto found = state_.taken.find(taken.id);
        if (found == state_.taken.end()) continue;  // its caller has left
        Message& message = *found->second;
        if (!taken.is_lost) {
            message.call->connection->count_sentences(message, taken.content);
        } else {
            state_.taken.erase(found);
            message.call->connection->refuse_taken(message);
            settle();
        }
    }
    std::erase_if(batch.messages, [](const Taken& taken) { return taken.is_lost; });
}

void Front::answer(const Answers& answers) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, content] : answers) {
        const auto found = state_.taken.find(id);
        if (found == state_.taken.end()) continue;  // its caller has left
        Message& message = *found->second;
        state_.taken.erase(found);
        message.call->connection->answer(message, content);
    }
    settle();
}

void Front::fail(const Failures& failures) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, status] : failures) {
        const auto found = state_.taken.find(id);
        if (found == state_.taken.end()) continue;
        Message& message = *found->second;
        message.call->connection->fail(message, status);
    }
    settle();
}

std::vector<Ended> Front::ended() {
    const std::lock_guard lock(mutex_);
    return std::exchange(state_.ended, {});
}

void Front::set_serving(bool serving) {
    const std::lock_guard lock(mutex_);
    set_serving_locked(serving);
    settle();
}

void Front::set_serving_locked(bool serving) {
    if (state_.is_draining || state_.is_serving == serving) return;
    state_.is_serving = serving;
    for (Call* watcher : state_.watchers) watcher->connection->tell_watcher(*watcher);
}

void Front::set_keys(std::optional<std::set<std::string>> digests) {
    const std::lock_guard lock(mutex_);
    state_.keys = std::move(digests);
}

void Front::drain() {
    const std::lock_guard lock(mutex_);
    set_serving_locked(false);
    state_.is_draining = true;
    for (const auto& [id, connection] : connections_) connection->drain();
    settle();
}

double Front::quiet_s() {
    const std::lock_guard lock(mutex_);
    return now() - state_.began;
}

bool Front::is_idle() const {
    return state_.calls == state_.checks &&
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
    close_listeners();
    for (const auto& [id, connection] : connections_) {
        connection->go_away();
        connection->list();
    }
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

std::map<std::string, double> Front::figures() {
    const std::lock_guard lock(mutex_);
    const double lag = std::exchange(most_lag_s_, 0);
    return {{"connections", double(connections_.size())},
            {"connections_begun", double(state_.connections_begun)},
            {"calls", double(state_.calls)},
            {"calls_begun", double(state_.calls_begun)},
            {"places", double(state_.places)},
            {"waiting", double(state_.waiting())},
            {"taken", double(state_.taken.size())},
            {"wait_s", state_.line.wait_s()},
            {"held_bytes", double(state_.held_bytes)},
            {"unread_bytes", double(state_.unread_bytes)},
            {"received_bytes", double(state_.received_bytes)},
            {"sent_bytes", double(state_.sent_bytes)},
            {"resets", double(state_.resets)},
            {"reading", double(state_.reading.size())},
            {"deadlines", double(state_.deadlines.size())},
            {"watchers", double(state_.watchers.size())},
            {"uncounted", double(state_.uncounted)},
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
            if (idle_) changed_.notify_one();  // who came meanwhile waits, and is to look from now on
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
        call.due.reset();
        call.connection->end(call, state_.status("expired"), "");
    }
    std::vector<std::uint64_t> over;
    for (const auto& [id, connection] : connections_) {
        if (!connection->tick(time)) over.push_back(id);
        else connection->list();
    }
    for (const std::uint64_t id : over) close(id);
    settle();
    if (!is_listening_) watch_listeners(true);
}

}  // namespace front
