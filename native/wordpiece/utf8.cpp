#include "utf8.hpp"

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

bool is_character(char32_t point, int more) {
    constexpr char32_t least[] = {0, 0x80, 0x800, 0x10000};
    return point >= least[more] && point <= 0x10ffff && (point < 0xd800 || point >= 0xe000);
}

}  // namespace

bool decode(std::string_view text, std::u32string& points) {
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at++]);
        const int more = following(first);
        if (more < 0 || text.size() - at < std::size_t(more)) return false;
        char32_t point = more == 0 ? first : first & (0x3f >> more);
        for (int byte = 0; byte < more; ++byte) {
            const auto next = static_cast<unsigned char>(text[at++]);
            if ((next & 0xc0) != 0x80) return false;
            point = point << 6 | (next & 0x3f);
        }
        if (!is_character(point, more)) return false;
        points.push_back(point);
    }
    return true;
}

}  // namespace wordpiece
