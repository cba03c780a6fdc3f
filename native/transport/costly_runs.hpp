// The threads that are kept for long by what they took.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <thread>

namespace transport {

/// Threads that compute something costly, which can't be cut, and since when. Safe to use from several threads.
class CostlyRuns {
public:
    /// Notes that the calling thread has taken something costly.
    /// Notes that the calling thread takes something costly, unless `max_count` others have. Returns whether it may.
    bool begin(double now, std::size_t max_count) {
        const std::lock_guard lock(mutex_);
        if (!threads_.contains(std::this_thread::get_id()) && alive(now) >= max_count) return false;
        threads_.emplace(std::this_thread::get_id(), now);
        count_ = threads_.size();
        return true;
    }

    /// Notes that the calling thread is done with what it took.
    void end() {
        if (count_ == 0) return;
        const std::lock_guard lock(mutex_);
        threads_.erase(std::this_thread::get_id());
        count_ = threads_.size();
    }

    /// Returns how many threads compute something costly, without those that seem to hang.
    std::size_t count(double now) const {
        if (count_ == 0) return 0;
        const std::lock_guard lock(mutex_);
        return alive(now);
    }

private:
    static constexpr double given_up_s = 30;  // after which a thread seems to hang

    std::size_t alive(double now) const {
        return std::size_t(std::count_if(threads_.begin(), threads_.end(),
                                         [now](const auto& of) { return now - of.second < given_up_s; }));
    }

    mutable std::mutex mutex_;
    std::map<std::thread::id, double> threads_;
    std::atomic<std::size_t> count_{0};
};

}  // namespace transport
