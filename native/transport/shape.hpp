// An embedding's numbers as callers ask for them, bit for bit as service/bothends/options.py makes them.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "options.hpp"

namespace transport {

/// Returns an encoder's row with the requested size and length: the row itself, or a copy that is valid until this
/// thread's next call. The model must offer the size.
std::span<const float> shaped(std::span<const float> row, const Options& options);

/// Makes the first of several rows of this dimension, one for each piece of a text, the text's: the direction of the mean
/// of all, each scaled to length 1. The others are undefined then.
void mean_of_pieces(std::span<float> rows, std::size_t dimension);

/// Returns an upper bound on the bytes of a written row, for an encoder's row of this many numbers.
std::size_t max_written_bytes(const Options& options, std::size_t numbers);

/// Appends numbers as IEEE 754 binary16, little-endian.
void append_float16(std::string& to, std::span<const float> row);

/// Returns the scale of a row for `append_int8`: an int8 times the scale approximates the number.
float scale_of(std::span<const float> row);

/// Appends numbers as int8, rounded to the nearest, ties to even.
void append_int8(std::string& to, std::span<const float> row, float scale);

/// Appends one bit for each number, 1 if it is above 0; the first number is the highest bit of the first byte.
void append_sign_bits(std::string& to, std::span<const float> row);

}  // namespace transport
