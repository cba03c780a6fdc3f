// Threads that help with work which any number of threads can share. They live as long as the pool.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace bothends {

/// Threads that help any caller with work that can be shared. Started when first needed.
class ThreadPool {
public:
    // One worker's part: takes what is left of the work until nothing is.
    using Work = std::function<void(int worker)>;

    ~ThreadPool() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        waiting_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    // Does `work` as worker 0 in this thread, and as workers 1 and up in as many threads of the pool as are free before
    // this thread is done: no thread waits for a helper that hasn't begun. Throws what a worker threw. Where there is no
    // memory or no thread for a helper, the others do its part.
    void run(int workers, const Work& work) {
        std::deque<Task> tasks;
        for (int worker = 1; worker < workers; ++worker) tasks.push_back({&work, worker});
        begin(tasks);
        std::exception_ptr error = attempt(work, 0);
        end(tasks);
        for (const Task& task : tasks) error = error ? error : task.error;
        if (error) std::rethrow_exception(error);
    }

private:
    struct Task {
        const Work* work;
        int worker;
        bool taken = false, done = false;
        std::exception_ptr error = nullptr;
    };

    static std::exception_ptr attempt(const Work& work, int worker) {
        try {
            work(worker);
        } catch (...) {
            return std::current_exception();
        }
        return nullptr;
    }

    void begin(std::deque<Task>& tasks) {
        if (tasks.empty()) return;
        const std::lock_guard lock(mutex_);
        try {
            for (Task& task : tasks) queue_.push_back(&task);
            while (threads_.size() < tasks.size()) threads_.emplace_back([this] { help(); });
        } catch (const std::bad_alloc&) {
        } catch (const std::system_error&) {  // the limit of threads
        }
        waiting_.notify_all();
    }

    void end(std::deque<Task>& tasks) {
        if (tasks.empty()) return;
        std::unique_lock lock(mutex_);
        for (Task& task : tasks) {
            const auto place = std::find(queue_.begin(), queue_.end(), &task);
            if (place != queue_.end()) queue_.erase(place);
            else if (task.taken) done_.wait(lock, [&task] { return task.done; });
        }
    }

    void help() {
        std::unique_lock lock(mutex_);
        for (;;) {
            waiting_.wait(lock, [this] { return closed_ || !queue_.empty(); });
            if (closed_) return;
            Task& task = *queue_.front();
            queue_.pop_front();
            task.taken = true;
            lock.unlock();
            task.error = attempt(*task.work, task.worker);
            lock.lock();
            task.done = true;
            done_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable waiting_, done_;
    std::deque<Task*> queue_;
    std::vector<std::thread> threads_;
    bool closed_ = false;
};

}  // namespace bothends
