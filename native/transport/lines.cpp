#include "lines.hpp"

#include <utility>

namespace transport {

void Lines::set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes, std::size_t sentences,
                      std::size_t most_sentences) {
    small_[method] = {std::move(codec), bytes, sentences, most_sentences};
}

Line& Lines::choose(Message& message, std::size_t method, bool may_be_small, double left_s) {
    if (!may_be_small) return metered;
    const Small& of = small_.at(method);
    const bool is_shown = !message.is_compressed;  // else it may hold as much as a long one
    if (is_shown && message.size <= of.bytes && of.codec->count(message.content, of.sentences)) return small;
    const auto sentences = is_shown ? of.codec->count(message.content, of.most_sentences) : 1;
    // Python has the words for one that can't be served in time.
    message.is_long = sentences && small.served_s(message.caller, message.size) <= left_s;
    message.listed = sentences.value_or(0);
    return message.is_long ? small : metered;
}

bool Lines::is_late(const Line& in, std::uint64_t caller, double patience_s) const {
    const double left_s = patience_s - queue_s(in);
    return in.wait_s() > left_s && in.wait_s(caller) > left_s;
}

Message* Lines::late(const Line& in) const {
    Message* const last = in.last();
    return last && !last->job && in.wait_s_of_last() + queue_s(in) > last->patience_s ? last : nullptr;
}

void Lines::leave(std::uint64_t caller) {
    metered.leave(caller);
    small.leave(caller);
    unmetered.leave(caller);
    application.leave(caller);
}

}  // namespace transport
