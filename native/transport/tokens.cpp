#include "tokens.hpp"

#include <algorithm>
#include <limits>

namespace transport {

bool Tokens::append(const shared::Tokenizer& tokenizer, std::string_view sentence, Truncation truncation,
                    std::size_t max_tokens) {
    const std::size_t before = ids_.size();
    const std::size_t max_read = truncation == Truncation::end ? std::numeric_limits<std::size_t>::max() : max_tokens;
    const bool is_read = tokenizer.encode(tokenizer.of, sentence, max_read, ids_);
    const std::size_t found = ids_.size() - before;
    const bool is_truncated = found > max_tokens;
    if (!is_read || found == 0 || (is_truncated && truncation == Truncation::error)) {
        ids_.resize(before);
        return false;
    }
    if (is_truncated && truncation == Truncation::end)
        ids_.erase(ids_.begin() + long(before), ids_.end() - long(max_tokens));
    ids_.resize(before + std::min(found, max_tokens));
    offsets_.push_back(std::int64_t(ids_.size()));
    readings_.push_back({ids_.size() - before, is_truncated});
    return true;
}

void Tokens::append(const Tokens& others, std::size_t from, std::size_t to) {
    ids_.insert(ids_.end(), others.ids_.begin() + others.offsets_[from], others.ids_.begin() + others.offsets_[to]);
    for (std::size_t sentence = from; sentence < to; ++sentence) {
        readings_.push_back(others.readings_[sentence]);
        offsets_.push_back(offsets_.back() + std::int64_t(readings_.back().tokens));
    }
}

void Tokens::cut(std::size_t sentences) {
    readings_.resize(sentences);
    offsets_.resize(sentences + 1);
    ids_.resize(std::size_t(offsets_.back()));
}

}  // namespace transport
