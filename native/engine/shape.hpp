// The sizes of an encoder and of its layers, and those that follow from them at a level and a precision.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tiles.hpp"

namespace bothends {

/// Way in which the states of the top layer become one vector: service/bothends/model/pooling.py says what each means.
enum class Pooling { final_states, max, mean, last_output, first_and_last_output, attention };
constexpr int poolings = 6;

/// Sizes of one layer, which are the same in each direction.
struct LayerShape {
    const Level* level;
    Precision precision;
    Cell cell;
    int hidden;             // of one direction
    float state_bound = 1;  // no number of a state is larger, but for rounding: 1, or what was learned for the first

    // Units as tiles compute them: padded with units whose weights are zeros and whose state stays 0. To a multiple of
    // 16 at each level, so that sums have the same terms.
    int units() const { return (hidden + 15) / 16 * 16; }
    int state_words() const { return units() / numbers_in_word(precision); }
    std::size_t state_bytes() const { return std::size_t(state_words()) * 4; }  // h of one direction
    float state_steps() const { return 127 / state_bound; }  // of int8, in 1
    bool half_table() const { return precision != Precision::float32; }
    // Products of one token's input, as the table has them: full blocks of a linear layer's outputs.
    int start_numbers() const { return (units() * gates_of(cell) + 63) / 64 * 64; }
    std::size_t start_bytes() const { return std::size_t(start_numbers()) * (half_table() ? 2 : 4); }
    std::size_t sums_bytes() const { return std::size_t(units()) * gates * 4; }  // of one token, unfinished
    std::size_t recurrent_bytes() const { return state_bytes() * units() * gates_of(cell); }  // of weights
};

/// Sizes of an encoder, its precision, and the level that it is computed at.
struct Shape {
    const Level* level;
    Precision precision;
    Cell cell;
    int directions;  // 1 or 2
    int embedding;
    Pooling pooling = Pooling::final_states;
    std::vector<LayerShape> layers = {};  // from the bottom up

    void add_layer(int hidden) { layers.push_back({level, precision, cell, hidden}); }
    const LayerShape& top() const { return layers.back(); }
    // States of one token, of all directions.
    std::size_t states_bytes(std::size_t layer) const { return directions * layers[layer].state_bytes(); }
    // Vectors, each of all directions, that a sentence's sinks have in the end.
    int pooled_vectors() const { return pooling == Pooling::first_and_last_output ? 2 : 1; }
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
