// Reads and writes UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace wordpiece {

/// Returns whether `text` is valid UTF-8 (RFC 3629): none overlong, no surrogate, and none past U+10FFFF.
bool is_utf8(std::string_view text);

/// Returns the code point at the byte `at` of a valid text, and moves `at` behind it.
inline char32_t next(std::string_view text, std::size_t& at) {
    const auto byte = [&] { return char32_t(static_cast<unsigned char>(text[at++])); };
    const char32_t first = byte();
    if (first < 0x80) return first;
    int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    char32_t point = first & (0x3fu >> more);
    for (; more > 0; --more) point = point << 6 | (byte() & 0x3f);
    return point;
}

/// Returns the code point that ends before the byte `at` of a valid text, which isn't its first.
char32_t before(std::string_view text, std::size_t at);

constexpr std::size_t max_bytes = 4;  // of a code point

/// Writes a code point to `to`, which has room for `max_bytes`; returns how many it has. It may be a surrogate, which
/// isn't valid.
inline std::size_t encode(char32_t point, char* to) {
    if (point < 0x80) return *to = char(point), 1;
    const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    constexpr unsigned char firsts[] = {0, 0xc0, 0xe0, 0xf0};
    *to = char(firsts[more] | point >> 6 * more);
    for (int left = more - 1; left >= 0; --left) *++to = char(0x80 | (point >> 6 * left & 0x3f));
    return std::size_t(more) + 1;
}

}  // namespace wordpiece
