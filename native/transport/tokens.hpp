// Sentences' token ids, as an encoder takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "../shared/borrowed.hpp"
#include "codec.hpp"

namespace transport {

/// Token ids of several sentences, concatenated, and where they are cut into pieces: an encoder makes a row of each. A
/// sentence is one piece, unless it is longer than the model reads and all of it is wanted.
class Tokens {
public:
    /// Tokenises a sentence, of which the model reads `max_tokens` tokens. Returns false, and adds nothing, if it is to
    /// be left to Python: it isn't plain, has no token, or has more than it may.
    bool append(const shared::Tokenizer& tokenizer, std::string_view sentence, Truncation truncation,
                std::size_t max_tokens);

    /// Adds a sentence of these ids, as one piece.
    void append(std::span<const std::int32_t> ids);

    /// Adds the sentences `from` to before `to` of `others`.
    void append(const Tokens& others, std::size_t from, std::size_t to);

    /// Removes all except the first `sentences`.
    void cut(std::size_t sentences);

    std::size_t sentences() const { return readings_.size(); }
    std::size_t pieces() const { return offsets_.size() - 1; }
    std::size_t size() const { return ids_.size(); }

    /// Returns the number of ids before a sentence, or of all: one more than there are sentences.
    std::size_t before(std::size_t sentence) const { return std::size_t(offsets_[firsts_[sentence]]); }
    const std::vector<Reading>& readings() const { return readings_; }
    const std::int32_t* ids() const { return reinterpret_cast<const std::int32_t*>(ids_.data()); }

    /// Returns the indices of the pieces' first ids, and of the end: one more than there are pieces.
    const std::int64_t* offsets() const { return offsets_.data(); }

    /// Makes the pieces' rows, float32 [pieces, dimension], the sentences' rows, in place.
    void join_rows(float* rows, std::size_t dimension) const;

private:
    void add_pieces(const shared::Tokenizer& tokenizer, std::size_t begin, std::size_t max_tokens);

    std::vector<std::uint32_t> ids_;
    std::vector<std::int64_t> offsets_{0};
    std::vector<std::size_t> firsts_{0};  // the sentences' first pieces, and the end
    std::vector<Reading> readings_;
};

}  // namespace transport
