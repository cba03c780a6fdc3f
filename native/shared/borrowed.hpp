// What one module of this distribution lends to another. A capsule holds one of these, and keeps the lender alive (capsule.hpp).
// Each module may have a C++ library of its own, so types of the library aren't passed from one to another, and nothing is thrown. The
// names have a version, to be raised with any change here: modules of different builds then refuse each other.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace shared {

/// Tokenizer that one native module lends to another. Safe to use from several threads, without the GIL.
struct Tokenizer {
    static constexpr const char* name = "bothends_native.Tokenizer 2";

    const void* of;

    /// Returns the ids of a text, valid until this thread's next call, and their number: all of them, or if there are more
    /// than `max_tokens`, more than `max_tokens` of the first. Null if it can't tokenise the text, or the text isn't UTF-8.
    const std::uint32_t* (*encode)(const void* of, const char* text, std::size_t bytes, std::size_t max_tokens,
                                   std::size_t& count);

    /// Returns whether the token goes on with a word: between any other one and the one before it, a text can be cut.
    bool (*continues)(const void* of, std::uint32_t id);
};

/// Encoder that one native module lends to another. Safe to use from several threads, without the GIL: one that needs
/// the GIL takes it by itself.
struct Encoder {
    static constexpr const char* name = "bothends_native.Encoder 2";

    void* of;
    std::size_t dimension;

    /// Computes rows, float32 [sentences, dimension]; sentence s has the ids from offsets[s] to offsets[s + 1]. Returns
    /// false if it was stopped or failed, or a number isn't finite: then no row is valid. Adds to `helped_s` the seconds
    /// for which other threads, on cores that were idle, helped the caller's.
    bool (*run)(void* of, const std::int32_t* ids, const std::int64_t* offsets, std::size_t sentences, float* rows,
                double& helped_s);

    /// Returns how often the encoder was stopped, which happens when the model is no longer trusted.
    std::uint64_t (*stops)(void* of);
};

inline bool are_finite(const float* numbers, std::size_t count) {
    return std::all_of(numbers, numbers + count, [](float number) { return std::isfinite(number); });
}

}  // namespace shared
