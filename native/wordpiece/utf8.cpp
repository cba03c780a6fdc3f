#include "utf8.hpp"

#include <cstdint>
#include <cstring>

namespace wordpiece {
namespace {

/// Returns how many bytes follow the first byte of a character; -1 if it is no first byte.
int following(unsigned char first) {
    if (first < 0x80) return 0;
    if (first < 0xc2) return -1;
    if (first < 0xe0) return 1;
    if (first < 0xf0) return 2;
    return first < 0xf5 ? 3 : -1;
}

bool is_following(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

bool is_character(char32_t point, int more) {
    constexpr char32_t least[] = {0, 0x80, 0x800, 0x10000};
    return point >= least[more] && point <= 0x10ffff && (point < 0xd800 || point >= 0xe000);
}

/// Returns how many bytes from `at` are surely ASCII: a multiple of eight.
std::size_t ascii_from(std::string_view text, std::size_t at) {
    std::size_t end = at;
    for (std::uint64_t bytes = 0; text.size() - end >= sizeof bytes; end += sizeof bytes) {
        std::memcpy(&bytes, text.data() + end, sizeof bytes);
        if (bytes & 0x8080808080808080u) break;
    }
    return end - at;
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t at = ascii_from(text, 0); at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        const int more = following(first);
        if (more < 0 || text.size() - at <= std::size_t(more)) return false;
        for (int byte = 1; byte <= more; ++byte)
            if (!is_following(text[at + std::size_t(byte)])) return false;
        if (!is_character(next(text, at), more)) return false;
        if (more == 0) at += ascii_from(text, at);
    }
    return true;
}

char32_t before(std::string_view text, std::size_t at) {
    do --at;
    while (is_following(text[at]));
    return next(text, at);
}

}  // namespace wordpiece
