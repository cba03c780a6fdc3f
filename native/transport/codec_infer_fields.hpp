// What is read of a ModelInferRequest beside its texts, and those.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "options.hpp"

namespace transport::infer {

/// Tensors that a response may hold.
enum Tensor : std::size_t { embedding, token_count, truncated, tensors };

/// Name and number format of a tensor, in the protocol's words.
struct Described {
    std::string_view name, datatype;
    std::size_t bytes;  // of a number
};

constexpr std::array<Described, tensors> described{
    {{"embedding", "FP32", sizeof(float)}, {"token_count", "INT32", sizeof(std::int32_t)}, {"truncated", "BOOL", 1}}};

/// Tensors that a response is to hold, each once, in order.
struct Wanted {
    std::array<std::size_t, tensors> of{embedding, token_count, truncated};  // so many of them
    std::size_t count = 0;

    std::span<const std::size_t> all() const { return {of.data(), count}; }

    /// Adds the tensor of this name; returns false if there is none.
    bool add(std::string_view name);
};

// As service/bothends/server/fronts/kserve/bounds.py has them.
constexpr std::size_t max_parameters = 64, max_outputs = 64, max_bytes = 1024;

/// Parameters that clients send to any model.
constexpr std::array<std::string_view, 5> without_meaning{"priority", "sequence_id", "sequence_start", "sequence_end",
                                                          "triton_enable_empty_final_response"};

inline bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char character) { return !(character & 0x80); });
}

/// Fields of a request for texts' embeddings, as views of its bytes.
class Fields {
public:
    /// Parses everything except the texts themselves; returns false if anything isn't plain.
    bool read(std::string_view request);

    /// Reads the texts; returns false if their number isn't `count`.
    bool read_texts(std::vector<std::string_view>& texts) const;

    std::string_view model_name() const { return model_name_.value_or(""); }
    std::string_view model_version() const { return model_version_.value_or(""); }
    std::string_view id() const { return id_.value_or(""); }  // in ASCII
    const Options& options() const { return options_; }
    const Wanted& wanted() const { return wanted_; }
    std::size_t count() const { return count_; }  // of texts, as their shape says: one at least

private:
    bool take(char tag, std::string_view bytes);
    bool read_input(std::string_view input);

    std::optional<std::string_view> model_name_, model_version_, id_, input_, raw_;
    std::size_t parameters_ = 0, outputs_ = 0;
    Options options_;
    Wanted wanted_;
    std::string_view contents_;  // of the input
    std::size_t count_ = 0;
};

}  // namespace transport::infer
