// What a request may ask for beside its sentences' embeddings.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <variant>
#include <vector>

namespace transport {

/// What to do with a sentence of more tokens than the model reads.
enum class Truncation { error, start, end, pieces };

/// How an embedding's numbers are written. What follows sign_bits is JSON's alone.
enum class Encoding { float32, float16, int8, sign_bits, text, base64 };
constexpr std::size_t encodings = 6;

// Their words, in order. In bothends.v1 the first one's number is 1; 0 asks for the default.
constexpr std::array<std::string_view, 4> words_of(Truncation) { return {"error", "start", "end", "pieces"}; }
constexpr std::array<std::string_view, 4> words_of(Encoding) { return {"float32", "float16", "int8", "sign_bits"}; }

/// What a request asks for beside its sentences.
struct Options {
    Truncation truncation = Truncation::start;
    bool is_normalized = false;  // whether each embedding is scaled to length 1
    std::size_t dimensions = 0;  // numbers that an embedding is to have; 0 for all
    Encoding encoding = Encoding::float32;
};

/// APIs beside bothends.v1, for sets of them.
namespace api {
constexpr unsigned none = 0, kserve = 1, openai = 2, tei = 4, ollama = 8;
}

/// An option that requests may have. service/bothends/options.py has the same rows.
struct Option {
    std::string_view name;
    char tag;       // of its field in bothends.v1's requests
    unsigned apis;  // that have it by this name
    std::variant<Truncation Options::*, bool Options::*, std::size_t Options::*, Encoding Options::*> member;
};

inline constexpr std::array option_rows{
    Option{"truncation", 0x10, api::kserve | api::openai, &Options::truncation},
    Option{"normalize", 0x18, api::kserve | api::tei, &Options::is_normalized},
    Option{"dimensions", 0x20, api::kserve | api::openai | api::tei | api::ollama, &Options::dimensions},
    Option{"encoding", 0x28, api::none, &Options::encoding},
};

/// Returns whether a model with these embedding sizes offers `dimensions`; 0 stands for its own size.
inline bool offers(const std::vector<std::size_t>& sizes, std::size_t dimensions) {
    return dimensions == 0 || std::find(sizes.begin(), sizes.end(), dimensions) != sizes.end();
}

}  // namespace transport
