// Numbers as JSON.
#pragma once

#include <cstddef>

namespace transport {

constexpr std::size_t most_number = 24;  // characters of one

/// Writes a finite number byte for byte as Python's orjson does: as short as it can be and still be read as the same
/// float32. Returns its end.
char* write_number(char* to, float number);

}  // namespace transport
