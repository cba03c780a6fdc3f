// What a request may ask for beside its sentences' embeddings.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace transport {

/// What to do with a sentence of more tokens than the model reads.
enum class Truncation { start, error, end };

/// How an embedding's numbers are written.
enum class Encoding { float32, float16, int8, sign_bits, text, base64 };
constexpr std::size_t encodings = 6;

struct Options {
    Truncation truncation = Truncation::start;
    bool is_normalized = false;  // whether each embedding is scaled to length 1
    std::size_t dimensions = 0;  // numbers that an embedding is to have; 0 for all
    Encoding encoding = Encoding::float32;
};

/// Returns whether a model with these embedding sizes offers `dimensions`; 0 stands for its own size.
inline bool offers(const std::vector<std::size_t>& sizes, std::size_t dimensions) {
    return dimensions == 0 || std::find(sizes.begin(), sizes.end(), dimensions) != sizes.end();
}

}  // namespace transport
