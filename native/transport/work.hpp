// What one run of a fast path computes, and what becomes of it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fast_path.hpp"
#include "tokens.hpp"

namespace transport {

/// Small requests, then slices of long ones, all for one model. All lists are in their order.
struct FastPath::Work {
    std::size_t model = 0;
    std::vector<Taken> calls;
    std::vector<Request> requests;
    std::vector<std::size_t> tokens_of;  // of each call
    std::vector<std::pair<Taken, Request>> known;  // that hold nothing to embed
    std::vector<Charge> charges;  // of each call
    std::vector<Denied> denied;
    std::vector<Slice> slices;
    Tokens tokens;  // of all sentences
    std::unique_ptr<float[]> rows;
    std::vector<std::string> contents;        // of the responses to calls
    std::vector<std::shared_ptr<Job>> whole;  // jobs whose last rows are written
    Served served;

    void join(Run& run);

    /// Returns whether all calls ask for their rows in the same form.
    bool are_alike() const {
        return std::all_of(requests.begin(), requests.end(), [&](const Request& each) {
            return each.options.encoding == requests[0].options.encoding;
        });
    }
};

/// What a batch holds for each model. Most servers have one, for which nothing is allocated.
struct FastPath::Works {
    explicit Works(std::size_t models) : others(models - 1) {
        for (std::size_t place = 0; place < others.size(); ++place) others[place].model = place + 1;
        for (Work& work : others) work.served.model = work.model;
    }

    Work& of(std::size_t model) { return model == 0 ? first : others[model - 1]; }

    Work first;
    std::vector<Work> others;
};

}  // namespace transport
