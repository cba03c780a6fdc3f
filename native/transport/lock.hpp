// A shard's lock, and what Clang is told of it (clang.llvm.org/docs/ThreadSafetyAnalysis.html): -Wthread-safety
// then refuses whoever touches what it guards without it. Other compilers see nothing of that.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "clock.hpp"

#ifdef __clang__
#define THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define THREAD_SAFETY(attribute)
#endif
#define CAPABILITY(name) THREAD_SAFETY(capability(name))
#define SCOPED_CAPABILITY THREAD_SAFETY(scoped_lockable)
#define GUARDED_BY(lock) THREAD_SAFETY(guarded_by(lock))
#define REQUIRES(lock) THREAD_SAFETY(requires_capability(lock))
#define ACQUIRE(...) THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define RELEASE(...) THREAD_SAFETY(release_capability(__VA_ARGS__))
#define ASSERT_HELD(lock) THREAD_SAFETY(assert_capability(lock))
#define NO_THREAD_SAFETY_ANALYSIS THREAD_SAFETY(no_thread_safety_analysis)

namespace transport {

/// Capability of holding the lock of the shard that a connection, a call or a line belongs to. Each shard has its own
/// mutex; the compiler can't tell them apart. A thread that holds one takes another only if that is free (`TryLock`), so
/// no two threads can wait for each other.
struct CAPABILITY("lock") Holding {
    /// Asserts that the caller holds the lock, where the compiler can't see it: in callbacks from a library.
    void is_sure() const ASSERT_HELD(this) {}
};
inline constexpr Holding the_lock;

/// Mutex of a shard. Other threads get it before the thread that polls the sockets, which would otherwise take it
/// back before they wake.
class Mutex {
public:
    void lock() ACQUIRE(the_lock) NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void unlock() RELEASE(the_lock) NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

    /// Locks it; while waiting, the thread is counted.
    void enter() ACQUIRE(the_lock) NO_THREAD_SAFETY_ANALYSIS {
        if (mutex_.try_lock()) return;
        ++entering_;
        mutex_.lock();
        if (--entering_ == 0) entered_.notify_all();
    }

    /// Locks it if it is free; returns whether it was.
    bool try_enter() NO_THREAD_SAFETY_ANALYSIS { return mutex_.try_lock(); }

    bool is_wanted() const { return entering_ > 0; }

    /// Lets waiting threads have it first, for at most `seconds`.
    void stand_back(double seconds) REQUIRES(the_lock) {
        if (!is_wanted()) return;
        std::unique_lock held(mutex_, std::adopt_lock);
        entered_.wait_for(held, std::chrono::duration<double>(seconds), [&] { return entering_ == 0; });
        held.release();
    }

private:
    std::mutex mutex_;
    std::atomic<int> entering_{0};  // threads that wait for it, and don't look at the sockets
    std::condition_variable entered_;  // none of them waits any more
};

/// Scoped lock of a shard's mutex.
class [[nodiscard]] SCOPED_CAPABILITY Lock {
public:
    explicit Lock(Mutex& mutex) ACQUIRE(the_lock) : mutex_(mutex) { mutex_.enter(); }
    ~Lock() RELEASE() { mutex_.unlock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    Mutex& mutex_;
};

/// Scoped lock of a shard's mutex for a thread that looks at its sockets: others get it first, those that come within
/// `stands_back_s` seconds too.
class [[nodiscard]] SCOPED_CAPABILITY ReadersLock {
public:
    explicit ReadersLock(Mutex& mutex, double stands_back_s = 0) ACQUIRE(the_lock) : mutex_(mutex) {
        mutex_.lock();
        if (stands_back_s > 0) mutex_.stand_back(stands_back_s);
    }
    ~ReadersLock() RELEASE() { mutex_.unlock(); }
    ReadersLock(const ReadersLock&) = delete;
    ReadersLock& operator=(const ReadersLock&) = delete;

private:
    Mutex& mutex_;
};

/// Scope in which a thread doesn't have the lock that it has around it.
class [[nodiscard]] SCOPED_CAPABILITY Unlocked {
public:
    explicit Unlocked(Mutex& mutex) RELEASE(the_lock) : mutex_(mutex) { mutex_.unlock(); }
    ~Unlocked() RELEASE() { mutex_.enter(); }  // of this scope: so Clang is told that the lock is had again
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

private:
    Mutex& mutex_;
};

/// Scoped lock of a shard's mutex if that becomes free within some seconds; false if it doesn't. The compiler doesn't
/// follow a lock that may fail: whoever got it says `the_lock.is_sure()`.
class [[nodiscard]] TryLock {
public:
    explicit TryLock(Mutex& mutex, double wait_s = 0) : mutex_(enters(mutex, wait_s) ? &mutex : nullptr) {}
    ~TryLock() NO_THREAD_SAFETY_ANALYSIS {
        if (mutex_) mutex_->unlock();
    }
    TryLock(const TryLock&) = delete;
    TryLock& operator=(const TryLock&) = delete;

    explicit operator bool() const { return mutex_ != nullptr; }

private:
    static bool enters(Mutex& mutex, double wait_s) {
        if (mutex.try_enter()) return true;
        for (const double end = now() + wait_s; now() < end;) {
            std::this_thread::yield();
            if (mutex.try_enter()) return true;
        }
        return false;
    }

    Mutex* const mutex_;
};

}  // namespace transport
