// Threads that wait for something to do while another looks at the sockets.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace transport {

/// Threads that sleep until there may be something for them (an event count). A thread asks for the epoch, looks around
/// without a lock, and sleeps only if nothing was announced since it asked: so nothing is missed. Safe to use from
/// several threads.
class Sleepers {
public:
    /// Returns a number that changes with each announcement.
    std::uint64_t epoch() const { return epoch_; }

    /// Sleeps until something is announced, or was since `epoch`, for at most `seconds`. One that is `sated` takes
    /// unmetered messages alone.
    void sleep(std::uint64_t epoch, double seconds, bool is_sated) {
        std::atomic<std::size_t>& asleep = is_sated ? sated_ : hungry_;
        std::unique_lock lock(mutex_);
        ++asleep;  // before it looks whether something was announced: who announces looks for it afterwards
        if (epoch_ == epoch) changed_.wait_for(lock, std::chrono::duration<double>(seconds));
        --asleep;
    }

    /// Announces that there is something to take; wakes one who sleeps.
    void announce() {
        ++epoch_;
        if (hungry_ + sated_ > 0) wake();
    }

    /// Wakes one who sleeps; all of them if one takes unmetered messages alone, since that might be the one that is
    /// woken.
    void wake() {
        const std::lock_guard lock(mutex_);
        if (sated_ > 0) changed_.notify_all();
        else changed_.notify_one();
    }

    void wake_all() {
        ++epoch_;
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
    }

    /// Makes one return with nothing: one that sleeps now, or else the next one that comes.
    void recall() { ++recalled_; }

    /// Returns whether somebody is to return with nothing.
    bool is_recalled() const { return recalled_ > 0; }

    /// Returns whether the calling thread is the one that is to return.
    bool take_recall() {
        std::size_t before = recalled_;
        while (before > 0 && !recalled_.compare_exchange_weak(before, before - 1)) {
        }
        return before > 0;
    }

    /// Returns whether somebody sleeps who takes messages of all kinds.
    bool has_hungry() const { return hungry_ > 0; }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<std::uint64_t> epoch_{0};
    std::atomic<std::size_t> hungry_{0}, sated_{0};  // who sleep, by what they take
    std::atomic<std::size_t> recalled_{0};  // threads that are to return with nothing
};

}  // namespace transport
