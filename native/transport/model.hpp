// A model that a fast path serves by.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../shared/borrowed.hpp"
#include "account.hpp"

namespace transport {

/// Tokenizer of a model, which no codec's request asks for where it has none, and how much of a sentence the model reads.
struct Reader {
    shared::Tokenizer tokenizer;
    std::size_t max_tokens;  // that the model reads of a sentence
};

/// Encoder of a model, and its recent speed. Safe to use from several threads.
class Model {
public:
    explicit Model(const shared::Encoder& lent) : encoder(lent), stops_(lent.stops(lent.of)) {}

    const shared::Encoder encoder;

    /// Returns whether its encoder hasn't been stopped; otherwise its rows are worthless.
    bool is_trusted() const { return encoder.stops(encoder.of) == stops_; }

    Price token{1e-6};  // to compute one; only that it is something matters until the first run

private:
    const std::uint64_t stops_;
};

}  // namespace transport
