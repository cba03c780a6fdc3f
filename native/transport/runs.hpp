// The runs of a fast path's encoder that go on, and those that take too long.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "job.hpp"
#include "usage.hpp"

namespace transport {

/// Message of a stream, which gets a response whatever becomes of its sentences.
struct InStream {
    std::uint64_t id;
    std::size_t method, model, sentences;
};

/// Model run, and the calls that it is for.
struct Run {
    double began = 0;
    std::size_t model = 0;  // that computes now; some messages wait for the thread's next run, of another model
    std::map<std::size_t, std::vector<std::uint64_t>> messages;  // ids of small unary calls', by method
    std::vector<InStream> in_streams;                            // small ones
    std::vector<std::shared_ptr<Job>> jobs;
    std::vector<Charge> charges;  // of small ones, given back with the run, where it is given up
};

/// Run that was given up.
struct Overdue {
    std::uint64_t thread;
    std::size_t model;  // that was in it
    std::map<std::size_t, std::vector<std::uint64_t>> messages;  // ids of unary calls' that it was for, by method
    std::vector<std::uint64_t> long_messages;                    // ids of those that it was for in part
    std::vector<InStream> in_streams;                            // that it was for, or in part
    std::vector<std::uint64_t> submitted;  // ids of messages of which it computed submitted sentences
};

/// Current runs by thread; a thread is in one at most. Safe to use from several threads.
class Runs {
public:
    void begin(std::uint64_t thread, Run run);

    /// Ends the thread's run and returns it; none if it was given up.
    std::optional<Run> end(std::uint64_t thread);

    std::size_t count();

    /// Excludes `seconds` from the time of this thread's run, if it has one, because the thread couldn't proceed.
    void forgive(std::uint64_t thread, double seconds);

    /// Gives up the runs that have taken longer than `seconds`, and returns them. A long message is only in one of
    /// them.
    std::vector<Overdue> overdue(double seconds);

private:
    std::mutex mutex_;
    std::map<std::uint64_t, Run> runs_;
};

}  // namespace transport
