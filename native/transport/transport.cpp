#include "transport.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace transport {
namespace {

constexpr double unattended_s = 0.002;  // for which the sockets may be, while all others are busy
constexpr double ticks_s = 0.025;       // between two looks at what is over by itself
constexpr double most_sleep_s = 3600;

}  // namespace

std::vector<bool> Transport::answer(Answers answers) {
    std::vector<bool> are_wanted;
    const Lock lock(mutex_);
    for (auto& [id, content, cut, work] : answers) {
        Message* const message = shared_.outstanding.remove(id);
        are_wanted.push_back(message);  // else its caller has left
        if (!message) continue;
        if (work > 0) {
            Account& account = message->call->account();
            account.charge(work - message->work);
            account.took(message->size, work);
        }
        message->call->answer(*message, std::move(content), cut);
    }
    settle();
    return are_wanted;
}

/// Puts requests of `method` that its codec may read in a line of their own (Lines::set_small).
void Transport::set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes, std::size_t sentences,
                          std::size_t most_sentences, std::size_t row_bytes) {
    const Lock lock(mutex_);
    shared_.lines.set_small(method, std::move(codec), bytes, sentences, most_sentences, row_bytes);
}

void Transport::set_traced(bool traced) {
    const Lock lock(mutex_);
    shared_.is_traced = traced;
}

void Transport::fail(const Failures& failures) {
    const Lock lock(mutex_);
    for (const auto& [id, status] : failures) {
        Message* const message = shared_.outstanding.find(id);
        if (message) message->call->fail(*message, status);
    }
    settle();
}

void Transport::deny(const std::vector<Denied>& calls) {
    const Lock lock(mutex_);
    for (const auto& [taken, denial] : calls) {
        if (Message* const message = shared_.outstanding.remove(taken.id))
            message->call->deny(denial);
        else
            shared_.ended.note({int(taken.method), code_of_leaving(taken.deadline, taken.arrived, now()), Refusal::none,
                                now() - taken.arrived});
    }
    settle();
}

std::vector<Ended> Transport::ended() {
    const Lock lock(mutex_);
    return shared_.ended.hand_over();
}

void Transport::set_serving(bool serving, const std::optional<std::vector<std::string>>& services) {
    const Lock lock(mutex_);
    shared_.set_serving(serving, services ? *services : shared_.settings.health_services);
    settle();
}

void Transport::set_keys(std::optional<Keys> keys) {
    const Lock lock(mutex_);
    shared_.keys.swap(keys);
}

void Transport::drain() {
    const Lock lock(mutex_);
    shared_.set_serving(false, shared_.settings.health_services);
    shared_.is_draining = true;
    for (const auto& [id, connection] : connections_) connection->peer().drain();
    settle();
}

double Transport::quiet_s() {
    const Lock lock(mutex_);
    return now() - shared_.began;
}

bool Transport::is_idle() const {
    if (shared_.owed.used() > 0) return false;
    for (const auto& [id, connection] : connections_)
        if (!connection->is_flushed()) return false;
    return true;
}

bool Transport::wait_idle(double timeout_s) {
    const double end = now() + timeout_s;
    const Lock lock(mutex_);
    while (!is_idle()) {
        if (now() >= end) return false;
        mutex_.wait(looked_, ticks_s);
    }
    return true;
}

void Transport::stop(double grace_s) {
    std::thread own = end_all(now() + grace_s);
    if (own.joinable()) own.join();
}

/// Ends all connections, by that time at the latest, and returns the transport's own thread, which ends.
std::thread Transport::end_all(double end) {
    const Lock lock(mutex_);
    if (has_stopped_) return {};
    close_listeners();
    std::vector<std::uint64_t> unready;
    for (const auto& [id, connection] : connections_) {
        connection->go_away();
        connection->list();
        if (!connection->is_ready()) unready.push_back(id);
    }
    for (const std::uint64_t id : unready) close(id);
    settle();
    while (!connections_.empty() && now() < end) mutex_.wait(looked_, ticks_s);
    while (!connections_.empty()) close(connections_.begin()->first);
    has_stopped_ = is_ending_ = true;
    changed_.notify_all();
    looked_.notify_all();
    wake_poller();
    wake_application();
    return std::move(own_);
}

SlicedDepth Transport::sliced() {
    const Lock lock(mutex_);
    return shared_.sliced();
}

Figures Transport::figures() {
    const Lock lock(mutex_);
    return {.connections = double(shared_.connections[false]),
            .http_connections = double(shared_.connections[true]),
            .requests = double(shared_.requests.used()),
            .connections_begun = double(shared_.begun.connections),
            .calls = double(shared_.open.used()),
            .calls_begun = double(shared_.begun.calls),
            .slots = double(shared_.slots.used()),
            .waiting = double(shared_.lines.size() + shared_.lines.application.size()),
            .taken = double(shared_.outstanding.size()),
            .wait_s = std::max(shared_.lines.metered.wait_s(), shared_.lines.small.wait_s()),
            .held_bytes = double(shared_.held.used()),
            .making_bytes = double(shared_.making.used()),
            .unread_bytes = double(shared_.unread.used()),
            .received_bytes = double(shared_.begun.received_bytes),
            .sent_bytes = double(shared_.begun.sent_bytes),
            .resets = double(shared_.begun.resets),
            .reading = double(shared_.reading.size()),
            .deadlines = double(shared_.deadlines.size()),
            .watchers = double(shared_.watchers.size()),
            .uncounted = double(shared_.ended.uncounted()),
            .rests = double(rests_),
            .lag_s = std::exchange(most_lag_s_, 0)};
}

/// Polls the sockets while no other thread does, and ends what is too old. Runs in the transport's own thread.
void Transport::look_after() {
    const Lock lock(mutex_);
    std::uint64_t polls = 0;  // when it last looked around
    while (!is_ending_) {
        const double time = now();
        try {
            if (!is_polling_ && time - polled_at_ >= unattended_s) {
                most_lag_s_ = std::max(most_lag_s_, time - polled_at_);
                poll(0);
                if (idle_) changed_.notify_one();  // who came meanwhile waits, and is to look from now on
            }
            if (time >= shared_.due.time() && time - ticked_at_ >= ticks_s) tick(time);
        } catch (const std::bad_alloc&) {  // there may be memory the next time: without this thread no deadline ends
        }
        // Who sleeps at the sockets looks at them meanwhile, and wakes this thread once something has come.
        const bool may_rest = is_polling_ && polls_ == std::exchange(polls, polls_);
        rests_until_ = may_rest ? std::max(shared_.due.time(), ticked_at_ + ticks_s) : 0;
        const double wait_s = may_rest ? std::min(rests_until_ - now(), most_sleep_s) : is_polling_ ? ticks_s : unattended_s;
        mutex_.wait(looked_, wait_s);
        rests_until_ = 0;
    }
}

/// Wakes the transport's own thread, where it would sleep past `by`.
void Transport::wake_own(double by) {
    if (rests_until_ <= by) return;
    rests_until_ = 0;
    looked_.notify_all();
}

void Transport::tick(double time) {
    ticked_at_ = time;
    shared_.due.clear();
    shared_.end_expired(time);
    shared_.end_stalled(time);
    std::vector<std::uint64_t> over;
    for (const auto& [id, connection] : connections_) {
        if (connection->tick(time)) shared_.due.by(connection->due());
        else over.push_back(id);
    }
    for (const std::uint64_t id : over) close(id);
    end_rests(time);
    shared_.unpark_all();
    shared_.turns.rest();
    std::erase_if(shared_.networks, [&](auto& entry) REQUIRES(the_lock) {
        Network& network = entry.second;
        if (!network.forget_callers() || network.open() > 0 || network.account.had() > shared_.turns.time()) return false;
        if (network.rests_until > time) shared_.due.by(network.rests_until);
        else shared_.parking.erase(&network);
        return network.rests_until <= time;
    });
    settle();
    if (!is_listening_) watch_listeners(true);
}

}  // namespace transport
