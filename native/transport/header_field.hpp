// A header or a trailer of HTTP.
#pragma once

#include <span>
#include <string_view>

namespace transport {

/// Header or trailer.
struct HeaderField {
    std::string_view name, value;
};
using HeaderFields = std::span<const HeaderField>;

}  // namespace transport
