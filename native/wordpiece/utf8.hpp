// Decodes UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace wordpiece {

inline bool is_ascii(std::string_view text) {
    for (const char byte : text)
        if (static_cast<unsigned char>(byte) >= 0x80) return false;
    return true;
}

/// Appends the code points of a text; returns false if it isn't valid UTF-8 (RFC 3629): overlong, a surrogate, or past
/// U+10FFFF.
bool decode(std::string_view text, std::u32string& points);

}  // namespace wordpiece
