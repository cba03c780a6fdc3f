// The sizes of an encoder and of its layers, and those that follow from them at a level and a precision.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tiles.hpp"

namespace bothends {

/// Sizes of one layer, which are the same in each direction.
struct LayerShape {
    const Level* level;
    Precision precision;
    int hidden;  // of one direction

    // Units as tiles compute them: padded with units whose weights are zeros and whose state stays 0. To a multiple of
    // 16 at each level, so that sums have the same terms.
    int units() const { return (hidden + 15) / 16 * 16; }
    int numbers_in_word() const { return precision == Precision::float32 ? 1 : precision == Precision::bf16 ? 2 : 4; }
    int state_words() const { return units() / numbers_in_word(); }
    std::size_t state_bytes() const { return std::size_t(state_words()) * 4; }  // h of one direction
    // Each byte of h = 0.
    char zero() const { return precision == Precision::int8 ? char(level->int8_offset) : char(0); }
    bool half_table() const { return precision != Precision::float32; }
    std::size_t start_bytes() const { return std::size_t(units()) * gates * (half_table() ? 2 : 4); }  // of one token
    std::size_t sums_bytes() const { return std::size_t(units()) * gates * 4; }  // of one token, unfinished
    std::size_t recurrent_bytes() const { return state_bytes() * units() * gates; }  // of weights
};

/// Sizes of an encoder, its precision, and the level that it is computed at.
struct Shape {
    const Level* level;
    Precision precision;
    int directions;  // 1 or 2
    int embedding;
    std::vector<LayerShape> layers;  // from the bottom up

    void add_layer(int hidden) { layers.push_back({level, precision, hidden}); }
    const LayerShape& top() const { return layers.back(); }
    int dimension() const { return directions * top().hidden; }
    // States of one token, of all directions.
    std::size_t states_bytes(std::size_t layer) const { return directions * layers[layer].state_bytes(); }
    // Rows of the table that 64 MiB hold, of all directions.
    std::int64_t usual_table_rows() const {
        return std::int64_t((64 << 20) / (directions * layers.front().start_bytes()));
    }
    // Two full tiles: each block of weights is read once for both. Weights that no cache holds are better read for
    // more.
    int usual_slots() const {
        return largest([](const LayerShape& layer) { return layer.recurrent_bytes(); }) > (4 << 20) ? 48 : 12;
    }
    // The largest of a size among the layers.
    template <class Size>
    std::size_t largest(Size of) const {
        std::size_t found = 0;
        for (const LayerShape& layer : layers) found = std::max<std::size_t>(found, of(layer));
        return found;
    }
};

}  // namespace bothends
