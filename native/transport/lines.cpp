#include "lines.hpp"

#include <utility>

namespace transport {

void Lines::set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes,
                      std::size_t sentences) {
    small_[method] = {std::move(codec), bytes, sentences};
}

Line& Lines::choose(const Message& message, std::size_t method, bool may_be_small) {
    if (!may_be_small || message.is_compressed) return metered;
    const Small& of = small_.at(method);
    return message.size <= of.bytes && of.codec->may_read(message.content, of.sentences) ? small : metered;
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
    application.leave(caller);
}

}  // namespace transport
