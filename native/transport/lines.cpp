#include "lines.hpp"

#include <algorithm>
#include <utility>

namespace transport {
namespace {
constexpr std::size_t costly_bytes = 1 << 18;  // that take about as long to read as they are read at once
constexpr double max_expected =
    0.7;  // of its patience, for which a call may be expected to wait: others who come later may pass it
constexpr std::size_t sentence_bytes = 32;  // of one in a request that can't be looked through here, about
}  // namespace

void Lines::set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes, std::size_t sentences,
                      std::size_t max_sentences, std::size_t row_bytes) {
    small_[method] = {std::move(codec), bytes, sentences, max_sentences, row_bytes};
}

Line& Lines::choose(Message& message, std::size_t method, bool may_be_small, double left_s) {
    message.work = message.account->estimate(message.size);
    message.is_costly = message.work > costly_s || message.size > costly_bytes;
    const auto found = small_.find(method);
    if (found == small_.end()) return metered;
    const Small& of = found->second;
    const bool is_shown = !message.is_compressed;  // else it may hold as much as a long one
    const auto sentences = is_shown ? of.codec->count(message.content, of.max_sentences) : 1;
    message.listed = is_shown && sentences ? *sentences : std::min(of.max_sentences, 1 + message.size / sentence_bytes);
    message.expected = message.listed * of.row_bytes;
    if (!may_be_small || !sentences) return metered;
    if (is_shown && message.size <= of.bytes && *sentences <= of.sentences) return small;
    // Python has the words for one that can't be served in time.
    message.is_long = small.served_s(*message.account, message.work) <= left_s;
    if (!message.is_long) return metered;
    message.is_costly = message.is_compressed && message.size > costly_bytes;  // all else is read by pieces
    return small;
}

bool Lines::is_late(const Line& in, const Account& caller, double patience_s) const {
    const double left_s = max_expected * patience_s;
    return in.wait_s() > left_s && in.wait_s(caller) > left_s;
}

Message* Lines::late(const Line& in) const {
    Message* const last = in.last();
    return last && !last->job && in.wait_s_of_last() > last->patience_s ? last : nullptr;
}

}  // namespace transport
