// One message of a call: a request's on its way, then its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "clock.hpp"
#include "entry.hpp"

namespace transport {

class Account;
class Call;
class Job;
class Line;

// Bytes that each costs besides its own, about: without it, empty ones by the million would be held for nothing.
constexpr std::size_t message_overhead = 256;

/// Message of a call, from its arrival to its answer.
struct Message {
    enum class State { waiting, shared_out, taken, answered };  // shared out: some of its slices wait, others are taken
    std::uint64_t id = 0;
    Call* call = nullptr;
    Account* account = nullptr;  // whose turns it has
    State state = State::waiting;
    double arrived = 0;
    double patience_s = never;  // that it may wait in line before it is late
    std::size_t sentences = 0;
    std::size_t size = 0;  // in bytes, inflated
    bool is_compressed = false;
    bool is_for_python = false;  // whatever it holds
    std::string content;  // the request while it waits, the response with its prefix once it is answered
    bool is_long = false;  // it is served in slices, where it isn't left to Python
    std::size_t listed = 0;  // sentences that a long one seemed to have as it came
    Line* line = nullptr;  // in which it waits, or did; none before
    Line* came_by = nullptr;  // the line that it was taken from, while token ids of it wait in another
    double
        work = 0,
        left =
            0;  // seconds of a core that it takes, and of those what waits in the line, as far as they can be estimated
    bool is_costly = false;  // it would keep a thread for long, and can't be cut
    std::size_t expected = 0;  // bytes of its answer, as far as they can be estimated
    std::size_t reserved = 0;  // of those, that are counted among its caller's unread ones, once it is begun
    Entry<std::list<Message*>> parked{};  // among those that wait until more of answers is read

    std::shared_ptr<Job> job;  // by which its slices are served, once that was begun
    std::size_t made = 0;  // bytes that the job takes

    /// Returns whether it, or a part of it, waits.
    bool waits() const { return line && (state == State::waiting || state == State::shared_out); }

    /// Returns the bytes that it holds until it is taken.
    std::size_t cost() const { return size + message_overhead; }
};

}  // namespace transport
