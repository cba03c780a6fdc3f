// What one run of a fast path computes, and what becomes of it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fast_path.hpp"
#include "tokens.hpp"

namespace transport {

/// Small requests, then slices of long ones. All lists are in their order.
struct FastPath::Work {
    std::vector<Taken> calls;
    std::vector<Request> requests;
    std::vector<std::pair<Taken, Request>> known;  // that hold nothing to embed
    std::vector<Charge> charges;  // of each call
    std::vector<Denied> denied;
    std::vector<Slice> slices;
    Tokens tokens;  // of all sentences
    std::unique_ptr<float[]> rows;
    std::vector<std::string> contents;        // of the responses to calls
    std::vector<std::shared_ptr<Job>> whole;  // jobs whose last rows are written
    Served served;
};

}  // namespace transport
