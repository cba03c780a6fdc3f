// The transport's lock, and what Clang is told of it (clang.llvm.org/docs/ThreadSafetyAnalysis.html): -Wthread-safety
// then refuses whoever touches what it guards without it. Other compilers see nothing of that.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

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

/// Holding the lock of the transport that a connection, a call or a line belongs to. Each transport has a mutex of its
/// own, which the compiler does not tell from another's: no thread is in two of them.
struct CAPABILITY("lock") Holding {
    /// Says that whoever calls this holds the lock, where the compiler can't see it: in what a library calls back.
    void is_sure() const ASSERT_HELD(this) {}
};
inline constexpr Holding the_lock;

/// A transport's mutex. Who wants something has it before whoever looks at the sockets, who would have it by luck alone
/// otherwise.
class Mutex {
public:
    void lock() ACQUIRE(the_lock) NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void unlock() RELEASE(the_lock) NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

    /// Locks it, and is counted meanwhile.
    void enter() ACQUIRE(the_lock) NO_THREAD_SAFETY_ANALYSIS {
        if (mutex_.try_lock()) return;
        ++entering_;
        mutex_.lock();
        if (--entering_ == 0) entered_.notify_all();
    }

    bool is_wanted() const { return entering_ > 0; }

    /// Lets those who want it have it first, for so long at the most.
    void stand_back(double seconds) REQUIRES(the_lock) {
        if (!is_wanted()) return;
        std::unique_lock held(mutex_, std::adopt_lock);
        entered_.wait_for(held, std::chrono::duration<double>(seconds), [&] { return entering_ == 0; });
        held.release();
    }

    /// Waits until `changed` is told, without the lock meanwhile.
    void wait(std::condition_variable& changed, double seconds) REQUIRES(the_lock) {
        std::unique_lock held(mutex_, std::adopt_lock);
        changed.wait_for(held, std::chrono::duration<double>(seconds));
        held.release();
    }

private:
    std::mutex mutex_;
    std::atomic<int> entering_{0};     // threads that wait for it, and don't look at the sockets
    std::condition_variable entered_;  // none of them waits any more
};

/// Holds a transport's mutex.
class SCOPED_CAPABILITY Lock {
public:
    explicit Lock(Mutex& mutex) ACQUIRE(the_lock) : mutex_(mutex) { mutex_.enter(); }
    ~Lock() RELEASE() { mutex_.unlock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    Mutex& mutex_;
};

}  // namespace transport
