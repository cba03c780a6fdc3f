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

/// A stream's message, which has a response whatever becomes of its sentences.
struct InStream {
    std::uint64_t id;
    std::size_t method, model, sentences;
};

/// A run, and whom it is for.
struct Run {
    double began = 0;
    std::size_t model = 0;  // that computes; the thread's next may be for others of these, by another
    std::map<std::size_t, std::vector<std::uint64_t>> messages;  // ids of small unary calls', by method
    std::vector<InStream> in_streams;                            // small ones
    std::vector<std::shared_ptr<Job>> jobs;
    std::vector<Charge> charges;  // of small ones, given back with the run, where it is given up
};

/// A run that was given up.
struct Overdue {
    std::uint64_t thread;
    std::size_t model;  // that was in it
    std::map<std::size_t, std::vector<std::uint64_t>> messages;  // ids of unary calls' that it was for, by method
    std::vector<std::uint64_t> long_messages;                    // ids of those that it was for in part
    std::vector<InStream> in_streams;                            // that it was for, or in part
};

/// Runs by threads, of which each is in one at most. Safe to use from several threads.
class Runs {
public:
    void begin(std::uint64_t thread, Run run);

    /// Returns the thread's run; nothing where it was given up.
    std::optional<Run> end(std::uint64_t thread);

    std::size_t count();

    /// Doesn't count `seconds` of the run that this thread is in, if it is: it couldn't go on meanwhile.
    void forgive(std::uint64_t thread, double seconds);

    /// Gives up the runs that have gone on for so long, and returns them. A long message is in one of them alone.
    std::vector<Overdue> overdue(double seconds);

private:
    std::mutex mutex_;
    std::map<std::uint64_t, Run> runs_;
};

}  // namespace transport
