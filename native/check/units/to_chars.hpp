// Numbers as JSON by the standard library: what the transport's own way is compared with, and takes half as long as.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

namespace units {

constexpr std::size_t max_by_to_chars = 24;  // characters of a number

/// Writes a number that has an exponent, or more digits before its point than a float32 can distinguish; returns its
/// end.
inline char* write_far_by_to_chars(char* to, float number) {
    constexpr int min_exponent = -6, max_exponent = 12;  // of numbers that are written without one
    std::array<char, max_by_to_chars> written;
    char* const end =
        std::to_chars(written.data(), written.data() + written.size(), number, std::chars_format::scientific).ptr;
    char* const mark = std::find(written.data(), end, 'e');
    int exponent = 0;
    std::from_chars(mark[1] == '+' ? mark + 2 : mark + 1, end, exponent);
    if (exponent < min_exponent || exponent > max_exponent) {
        to = std::copy(written.data(), mark + 1, to);
        if (exponent > 0) *to++ = '+';
        return std::to_chars(to, to + 4, exponent).ptr;
    }
    char* const digits_end = std::remove(written.data(), mark, '.');
    to = std::copy(written.data(), digits_end, to);
    to = std::fill_n(to, exponent + 1 - (digits_end - written.data() - (number < 0)), '0');
    return std::copy_n(".0", 2, to);
}

inline char* write_by_to_chars(char* to, float number) {
    const float size = std::abs(number);
    if (size != 0 && !(size >= 1e-6f && size < 0x1p24f)) return write_far_by_to_chars(to, number);
    char* const end = std::to_chars(to, to + max_by_to_chars, number, std::chars_format::fixed).ptr;
    return std::find(to, end, '.') == end ? std::copy_n(".0", 2, end) : end;
}

/// Appends a list of finite numbers.
inline void append_by_to_chars(std::string& json, std::span<const float> numbers) {
    const std::size_t before = json.size();
    json.resize(before + numbers.size() * (max_by_to_chars + 1) + 2);
    char* to = &json[before];
    *to++ = '[';
    for (const float number : numbers) {
        if (to[-1] != '[') *to++ = ',';
        to = write_by_to_chars(to, number);
    }
    *to++ = ']';
    json.resize(std::size_t(to - json.data()));
}

inline std::string list_by_to_chars(std::span<const float> numbers) {
    std::string json;
    append_by_to_chars(json, numbers);
    return json;
}

}  // namespace units
