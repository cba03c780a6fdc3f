// Numbers as JSON.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace transport {

constexpr std::size_t max_number = 24;  // characters of one

namespace json {

/// Appends a list, byte for byte as Python's orjson writes it: each number as short as it can be and still be read as the
/// same float32, and null for what is no number.
void append_numbers(std::string& json, std::span<const float> numbers);

}  // namespace json
}  // namespace transport
