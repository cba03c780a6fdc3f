// Packs weights, from ONNX's layout to the one that tiles read.
#pragma once

#include "memory.hpp"
#include "shape.hpp"

namespace bothends {

/// One direction of one layer: float32, gates stacked i, o, f, c.
struct DirectionWeights {
    const float* w;  // [4·hidden, inputs]: an embedding, or the states of all directions below
    const float* r;  // [4·hidden, hidden]
    const float* b;  // [8·hidden]: W's biases, then R's
};

/// Packed weights and the memory that they point into.
struct PackedBuffer {
    PackedWeights packed;
    Memory memory;
    std::size_t bytes;
};

// The recurrent weights of the first layer, whose inputs' products come from the table.
PackedBuffer pack_first(const Shape& shape, const DirectionWeights& weights);
// W and R of a layer above the first, one after the other; its inputs are the states of all directions below.
PackedBuffer pack_above(const Shape& shape, std::size_t layer, const DirectionWeights& weights);
// W and biases of the first layer, float32 at each precision: what makes the table's rows.
PackedBuffer pack_fold(const Shape& shape, const DirectionWeights& weights);

}  // namespace bothends
