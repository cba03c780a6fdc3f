// Who computes in this process, of all encoders, and whether there are idle cores.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace bothends {

/// Threads that compute: those that callers brought, and helpers, on cores that callers leave idle. A caller never waits
/// for a core: a helper that it makes one too many leaves. Safe to use from several threads.
class Cores {
public:
    /// A caller's thread, while it computes on one of so many cores.
    class Caller {
    public:
        Caller(Cores& cores, int max_threads) : cores_(cores), max_threads_(max_threads) {
            cores_.busy_.fetch_add(1, std::memory_order_relaxed);
            note(cores_.callers_.fetch_add(1, std::memory_order_relaxed) + 1);
        }
        Caller(const Caller&) = delete;
        ~Caller() {
            note(cores_.callers_.fetch_sub(1, std::memory_order_relaxed));
            cores_.busy_.fetch_sub(1, std::memory_order_relaxed);
        }

    private:
        void note(int callers) {
            if (callers >= max_threads_) cores_.wanted_at_.store(now(), std::memory_order_relaxed);
        }

        Cores& cores_;
        const int max_threads_;
    };

    /// A thread that helps on one of so many cores, if one is idle, until that is wanted.
    class Helper {
    public:
        Helper(Cores& cores, int max_threads) : cores_(cores), max_threads_(max_threads) {
            int busy = cores_.busy_.load(std::memory_order_relaxed);
            while (busy < max_threads_ && !helps_)
                helps_ = cores_.busy_.compare_exchange_weak(busy, busy + 1, std::memory_order_relaxed);
        }
        Helper(const Helper&) = delete;
        ~Helper() {
            if (helps_) cores_.busy_.fetch_sub(1, std::memory_order_relaxed);
        }

        bool helps() const { return helps_; }

        // Leaves if more threads compute than there are cores, and no other helper has left for that. Returns whether
        // it has.
        bool leaves() {
            int busy = cores_.busy_.load(std::memory_order_relaxed);
            while (busy > max_threads_ && helps_)
                helps_ = !cores_.busy_.compare_exchange_weak(busy, busy - 1, std::memory_order_relaxed);
            return !helps_;
        }

    private:
        Cores& cores_;
        const int max_threads_;
        bool helps_ = false;
    };

    /// All of this process.
    static Cores& all() {
        static Cores of_process;
        return of_process;
    }

    // Whether callers have left some of so many cores idle for a while: what they did lately is what they'll do next.
    bool are_idle(int max_threads) const {
        return busy_.load(std::memory_order_relaxed) < max_threads &&
               now() - wanted_at_.load(std::memory_order_relaxed) > calm_ns;
    }

private:
    static constexpr std::int64_t calm_ns = 5'000'000;

    static std::int64_t now() {
        return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
    }

    std::atomic<int> busy_{0}, callers_{0};
    std::atomic<std::int64_t> wanted_at_{-calm_ns};  // when callers last took all cores
};

}  // namespace bothends
