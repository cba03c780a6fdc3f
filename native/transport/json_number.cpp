#include "json_number.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace transport {
namespace {

/// Writes a number that has an exponent, or more digits before its point than a float32 tells apart; returns its end.
char* write_far_number(char* to, float number) {
    constexpr int least_exponent = -6, most_exponent = 12;  // of numbers that are written without one
    std::array<char, most_number> written;
    char* const end =
        std::to_chars(written.data(), written.data() + written.size(), number, std::chars_format::scientific).ptr;
    char* const mark = std::find(written.data(), end, 'e');
    int exponent = 0;
    std::from_chars(mark[1] == '+' ? mark + 2 : mark + 1, end, exponent);
    if (exponent < least_exponent || exponent > most_exponent) {
        to = std::copy(written.data(), mark + 1, to);
        if (exponent > 0) *to++ = '+';
        return std::to_chars(to, to + 4, exponent).ptr;
    }
    char* const digits_end = std::remove(written.data(), mark, '.');
    to = std::copy(written.data(), digits_end, to);
    to = std::fill_n(to, exponent + 1 - (digits_end - written.data() - (number < 0)), '0');
    return std::copy_n(".0", 2, to);
}

}  // namespace

// The digits are the shortest, as std::to_chars has them; where there is an exponent, and how it is written, is
// orjson's.
char* write_number(char* to, float number) {
    const float size = std::abs(number);
    if (size != 0 && !(size >= 1e-6f && size < 0x1p24f)) return write_far_number(to, number);
    char* const end = std::to_chars(to, to + most_number, number, std::chars_format::fixed).ptr;
    return std::find(to, end, '.') == end ? std::copy_n(".0", 2, end) : end;
}

}  // namespace transport
