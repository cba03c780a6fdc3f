// One message of a call: a request's on its way, then its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "clock.hpp"

namespace transport {

class Call;
class Line;

// Bytes that each costs besides its own, about: without it, empty ones by the million would be held for nothing.
constexpr std::size_t message_overhead = 256;

struct Message {
    enum class State { waiting, taken, answered };
    std::uint64_t id = 0;
    Call* call = nullptr;
    std::uint64_t caller = 0;  // whose turns it has
    State state = State::waiting;
    double arrived = 0;
    double patience_s = never;  // that it may wait in line before it is late
    std::size_t sentences = 0;
    std::size_t size = 0;  // in bytes, inflated
    bool is_compressed = false;
    std::string content;   // the request while it waits, the response with its prefix once it is answered
    Line* line = nullptr;  // in which it waits
    double tag = 0;        // in that line

    /// Bytes that it holds until it is taken.
    std::size_t cost() const { return size + message_overhead; }
};

}  // namespace transport
