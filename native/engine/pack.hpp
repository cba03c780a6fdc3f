// Packs weights, from ONNX's layout to the one that tiles read.
#pragma once

#include <vector>

#include "memory.hpp"
#include "shape.hpp"
#include "weights.hpp"

namespace bothends {

/// Packed weights and the memory that they point into.
struct PackedBuffer {
    PackedWeights packed{};
    Memory memory{};
    std::size_t bytes = 0;
};

/// One direction of one layer.
struct PackedCell {
    PackedBuffer step;
    PackedBuffer candidate;           // of a GRU whose reset gate comes first
    Memory initial_state;             // h_0 as the precision holds it
    std::vector<float> initial_cell;  // [units]: an LSTM's c_0, a GRU's h_0

    std::size_t bytes() const { return step.bytes + candidate.bytes; }
};

// W and R, one after the other; of the first layer R alone, whose inputs' products come from the table.
PackedCell pack_cell(const Shape& shape, std::size_t layer, const DirectionWeights& weights);

// W and biases of the first layer, float32 at each precision: what makes the table's rows.
PackedBuffer pack_fold(const Shape& shape, const DirectionWeights& weights);

// A linear layer, float32 at each precision: outputs in their order, padded to full blocks. Its input is `vectors` of
// `size` numbers each, which lie `padded` apart.
struct InputLayout {
    int vectors, size, padded;
};
PackedBuffer pack_linear(const Level& level, const LinearWeights& weights, InputLayout input);

}  // namespace bothends
