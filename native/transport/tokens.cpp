#include "tokens.hpp"

#include <algorithm>
#include <limits>
#include <span>

#include "shape.hpp"

namespace transport {
namespace {
constexpr std::size_t max_piece_tokens = 64;  // tokens, before its ends are moved: in longer ones a search found less
constexpr std::size_t shifts = 8;  // a cut is moved to where a word begins by at most a piece's size divided by this
}  // namespace

bool Tokens::append(const shared::Tokenizer& tokenizer, std::string_view sentence, Truncation truncation,
                    std::size_t max_tokens) {
    const std::size_t before = ids_.size();
    const bool reads_all = truncation == Truncation::end || truncation == Truncation::pieces;
    const std::size_t max_read = reads_all ? std::numeric_limits<std::size_t>::max() : max_tokens;
    std::size_t found = 0;
    const std::uint32_t* const ids = tokenizer.encode(tokenizer.of, sentence.data(), sentence.size(), max_read, found);
    const bool is_long = found > max_tokens;
    if (!ids || found == 0 || (is_long && truncation == Truncation::error)) return false;
    ids_.insert(ids_.end(), ids, ids + found);
    const bool is_truncated = is_long && truncation != Truncation::pieces;
    if (is_truncated && truncation == Truncation::end)
        ids_.erase(ids_.begin() + long(before), ids_.end() - long(max_tokens));
    if (is_truncated) ids_.resize(before + max_tokens);
    if (is_long && !is_truncated) add_pieces(tokenizer, before, max_tokens);
    else offsets_.push_back(std::int64_t(ids_.size()));
    firsts_.push_back(pieces());
    readings_.push_back({ids_.size() - before, is_truncated});
    return true;
}

/// Cuts the ids from `begin` on, more than `max_tokens`, at the places that service/bothends/core/long_texts.py has, too:
/// into pieces of equal sizes but for the words.
void Tokens::add_pieces(const shared::Tokenizer& tokenizer, std::size_t begin, std::size_t max_tokens) {
    const std::size_t most = std::min(max_piece_tokens, max_tokens - max_tokens / shifts);
    const std::size_t size = ids_.size() - begin, count = (size + most - 1) / most;
    for (std::size_t index = 1; index < count; ++index) {
        const std::size_t even = begin + size * index / count;
        std::size_t end = even;
        const std::size_t first = even - most / shifts;
        while (end > first && tokenizer.continues(tokenizer.of, ids_[end])) --end;
        if (tokenizer.continues(tokenizer.of, ids_[end])) end = even;
        offsets_.push_back(std::int64_t(end));
    }
    offsets_.push_back(std::int64_t(ids_.size()));
}

void Tokens::append(std::span<const std::int32_t> ids) {
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    offsets_.push_back(std::int64_t(ids_.size()));
    firsts_.push_back(pieces());
    readings_.push_back({ids.size(), false});
}

void Tokens::append(const Tokens& others, std::size_t from, std::size_t to) {
    const auto shift = std::int64_t(ids_.size()) - std::int64_t(others.before(from));
    ids_.insert(ids_.end(), others.ids_.begin() + long(others.before(from)),
                others.ids_.begin() + long(others.before(to)));
    for (std::size_t sentence = from; sentence < to; ++sentence) {
        for (std::size_t piece = others.firsts_[sentence]; piece < others.firsts_[sentence + 1]; ++piece)
            offsets_.push_back(others.offsets_[piece + 1] + shift);
        firsts_.push_back(pieces());
        readings_.push_back(others.readings_[sentence]);
    }
}

void Tokens::cut(std::size_t sentences) {
    readings_.resize(sentences);
    firsts_.resize(sentences + 1);
    offsets_.resize(firsts_.back() + 1);
    ids_.resize(std::size_t(offsets_.back()));
}

void Tokens::join_rows(float* rows, std::size_t dimension) const {
    if (pieces() == sentences()) return;
    for (std::size_t sentence = 0; sentence < sentences(); ++sentence) {
        const std::size_t first = firsts_[sentence], count = firsts_[sentence + 1] - first;
        const std::span<float> of(rows + first * dimension, count * dimension);
        if (count > 1) mean_of_pieces(of, dimension);
        if (first > sentence) std::copy_n(of.begin(), dimension, rows + sentence * dimension);
    }
}

}  // namespace transport
