// W3C's Trace Context: https://www.w3.org/TR/trace-context/.
#pragma once

#include <string_view>

namespace transport {

/// Returns whether a traceparent says that its caller records no trace of the call. An invalid one doesn't.
inline bool is_unsampled(std::string_view traceparent) {
    constexpr std::string_view shape = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx",
                               digits = "0123456789abcdef";
    if (traceparent.size() != shape.size()) return false;
    for (std::size_t index = 0; index < shape.size(); ++index)
        if (shape[index] == 'x' ? digits.find(traceparent[index]) == digits.npos : traceparent[index] != shape[index])
            return false;
    const auto is_zero = [&](std::size_t from, std::size_t count) {
        return traceparent.substr(from, count).find_first_not_of('0') == traceparent.npos;
    };
    return !is_zero(3, 32) && !is_zero(36, 16) && digits.find(traceparent.back()) % 2 == 0;
}

}  // namespace transport
