// One message of a call: a request's on its way, then its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "clock.hpp"

namespace transport {

class Call;
class Job;
class Line;

// Bytes that each costs besides its own, about: without it, empty ones by the million would be held for nothing.
constexpr std::size_t message_overhead = 256;

struct Message {
    enum class State { waiting, shared_out, taken, answered };  // shared out: some of its slices wait, others are taken
    std::uint64_t id = 0;
    Call* call = nullptr;
    std::uint64_t caller = 0;  // whose turns it has
    State state = State::waiting;
    double arrived = 0;
    double patience_s = never;  // that it may wait in line before it is late
    std::size_t sentences = 0;
    std::size_t size = 0;  // in bytes, inflated
    bool is_compressed = false;
    bool is_for_python = false;  // whatever it holds
    std::string content;   // the request while it waits, the response with its prefix once it is answered
    bool is_long = false;  // it is served in slices, where it isn't left to Python
    std::size_t listed = 0;  // sentences that a long one seemed to have as it came
    Line* line = nullptr;  // in which it waits
    double tag = 0;        // in that line
    std::size_t left = 0;  // bytes of it that wait there

    std::shared_ptr<Job> job;  // by which its slices are served, once that was begun
    std::size_t made = 0;      // bytes that the job takes

    /// Whether it, or some of it, waits.
    bool waits() const { return state == State::waiting || state == State::shared_out; }

    /// Bytes that it holds until it is taken.
    std::size_t cost() const { return size + message_overhead; }
};

}  // namespace transport
