// A model that a fast path serves by.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "../shared/borrowed.hpp"
#include "clock.hpp"

namespace transport {

/// What reads sentences for a model.
struct Reader {
    shared::Tokenizer tokenizer;
    std::size_t most_tokens;  // that the model reads of a sentence
};

/// What computes for a model, and how fast it was lately. Safe to use from several threads.
class Model {
public:
    explicit Model(const shared::Encoder& encoder) : encoder(encoder), stops_(encoder.stops(encoder.of)) {}

    const shared::Encoder encoder;

    /// Returns whether nobody has stopped it: else its rows are worth nothing.
    bool is_trusted() const { return encoder.stops(encoder.of) == stops_; }

    /// Notes a run of so many tokens that ended just now.
    void ran(std::size_t tokens, double seconds) {
        token_s_.store(seconds / double(tokens), std::memory_order_relaxed);
        ran_at_.store(now(), std::memory_order_relaxed);
    }

    /// Returns the time that a token took in its last run; 0 before any.
    double token_s() const { return token_s_.load(std::memory_order_relaxed); }

    /// Returns whether it has run within the last so many seconds.
    bool has_run_within(double seconds) const { return now() - ran_at_.load(std::memory_order_relaxed) <= seconds; }

private:
    const std::uint64_t stops_;
    std::atomic<double> token_s_{0}, ran_at_{0};
};

}  // namespace transport
