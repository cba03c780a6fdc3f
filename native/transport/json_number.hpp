// Numbers as JSON.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace transport {

constexpr std::size_t max_number = 24;  // characters of one

namespace json {

/// Appends a list, byte for byte like Python's orjson: each number with the fewest digits that read back as the same
/// float32, and null for NaN and infinity.
void append_numbers(std::string& json, std::span<const float> numbers);

/// Appends the same without the list's brackets.
void append_members(std::string& json, std::span<const float> numbers);

}  // namespace json
}  // namespace transport
