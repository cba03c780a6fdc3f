// Folds a linear layer into the weights that read its outputs, so that no run computes it.
#pragma once

#include <vector>

#include "weights.hpp"

namespace bothends {

/// Weights of one direction that read what the linear layer reads.
class FoldedWeights {
public:
    // `weights` has `rows` rows of w, which read the layer's outputs; its other arrays stay as they are.
    FoldedWeights(const DirectionWeights& weights, int rows, const LinearWeights& below);

    DirectionWeights weights() const;

private:
    DirectionWeights others_;
    std::vector<float> w_, b_;
};

}  // namespace bothends
