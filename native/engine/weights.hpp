// An encoder's weights as they are handed over: float32, in ONNX's layout. They stay their owner's.
#pragma once

#include <array>
#include <vector>

#include "tiles.hpp"

namespace bothends {

constexpr int max_directions = 2;

/// One direction of one layer; gates stacked as ONNX has them.
struct DirectionWeights {
    const float* w;              // [gates·hidden, inputs]: an embedding, or the states of all directions below
    const float* r;              // [gates·hidden, hidden]
    const float* b = nullptr;    // [2·gates·hidden]: W's biases, then R's; nullptr for zeros
    const float* h_0 = nullptr;  // [hidden]: the state and the cell that a sentence begins with; nullptr for zeros
    const float* c_0 = nullptr;
};
using LayerWeights = std::array<DirectionWeights, max_directions>;  // of one direction, the second is unused

/// A linear layer.
struct LinearWeights {
    const float* matrix = nullptr;  // [inputs, outputs]; nullptr where there is no such layer
    const float* bias = nullptr;    // [outputs]; nullptr for zeros
    int inputs = 0, outputs = 0;
    explicit operator bool() const { return matrix; }
};

/// What becomes of a head's numbers.
enum class Then { none, tanh, relu, layer_norm };

/// Everything but the embedding table.
struct EncoderWeights {
    std::vector<LayerWeights> layers;          // from the bottom up
    LinearWeights input_projection;            // of a token's vector, before the first layer
    std::vector<LinearWeights> projections;    // of each layer's states, of all directions; empty if there are none
    LinearWeights attention_hidden, attention_scores;
    LinearWeights head;
    Then then = Then::none;
    const float *norm_weight = nullptr, *norm_bias = nullptr;  // [head.outputs]
    float epsilon = 0;
};

}  // namespace bothends
