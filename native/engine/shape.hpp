// The sizes of an encoder, and those that follow from them at a level and a precision.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tiles.hpp"

namespace bothends {

/// Sizes of an encoder, its precision, and the level that it is computed at.
struct Shape {
    const Level* level;
    Precision precision;
    int embedding;
    int hidden;  // of one direction
    int layers;

    // Units as tiles compute them: padded with units whose weights are zeros and whose state stays 0. To a multiple of
    // 16 at each level, so that sums have the same terms.
    int units() const { return (hidden + 15) / 16 * 16; }
    int dimension() const { return 2 * hidden; }
    int numbers_in_word() const { return precision == Precision::float32 ? 1 : precision == Precision::bf16 ? 2 : 4; }
    std::size_t state_bytes() const { return std::size_t(units()) * 4 / numbers_in_word(); }  // h of one direction
    // Each byte of h = 0.
    char zero() const { return precision == Precision::int8 ? char(level->int8_offset) : char(0); }
    bool half_table() const { return precision != Precision::float32; }
    // Rows of the table that 64 MiB hold, of both directions.
    std::int64_t usual_table_rows() const { return std::int64_t((64 << 20) / (2 * start_bytes())); }
    // Two full tiles: each block of weights is read once for both. Weights that no cache holds are better read for
    // more.
    int usual_slots() const { return state_bytes() * units() * gates > (4 << 20) ? 48 : 12; }
    std::size_t start_bytes() const { return std::size_t(units()) * gates * (half_table() ? 2 : 4); }  // of one token
};

}  // namespace bothends
