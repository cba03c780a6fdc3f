// An embedding's numbers as callers ask for them, bit for bit as service/bothends/options.py makes them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "options.hpp"

namespace transport {

/// Returns an encoder's row with as many numbers, and of the length, that were asked for: itself, or what it has `room`
/// for. The model offers that many.
std::span<const float> shaped(std::span<const float> row, const Options& options, std::vector<float>& room);

/// Returns how many bytes a row of an encoder's, of so many numbers, takes at most once it is written.
std::size_t max_written_bytes(const Options& options, std::size_t numbers);

/// Appends IEEE 754 binary16, little-endian.
void append_float16(std::string& to, std::span<const float> row);

/// Returns what a row is divided by for `append_int8`: an int8 times that is its number, nearly.
float scale_of(std::span<const float> row);

/// Appends numbers as int8, rounded to the nearest, ties to even.
void append_int8(std::string& to, std::span<const float> row, float scale);

/// Appends a bit a number, 1 where it is above 0; the first number's is the first byte's highest.
void append_sign_bits(std::string& to, std::span<const float> row);

}  // namespace transport
