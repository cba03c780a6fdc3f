#include "lines.hpp"

#include "embed.hpp"

namespace transport {

void Lines::set_small(std::size_t method, std::size_t bytes, std::size_t sentences) {
    small_method_ = method;
    small_bytes_ = bytes;
    small_sentences_ = sentences;
}

Line& Lines::choose(const Message& message, bool may_be_small) {
    const bool is_small = may_be_small && !message.is_compressed && message.size <= small_bytes_ &&
                          !sentences_of(message.content, small_sentences_).empty();
    return is_small ? small : metered;
}

bool Lines::is_late(const Line& in, std::uint64_t caller, double patience_s) const {
    const double left_s = patience_s - queue_s(in);
    return in.wait_s() > left_s && in.wait_s(caller) > left_s;
}

Message* Lines::late(const Line& in) const {
    Message* const last = in.last();
    return last && in.wait_s_of_last() + queue_s(in) > last->patience_s ? last : nullptr;
}

void Lines::leave(std::uint64_t caller) {
    metered.leave(caller);
    small.leave(caller);
    unmetered.leave(caller);
}

}  // namespace transport
