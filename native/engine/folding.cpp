#include "folding.hpp"

#include <algorithm>
#include <cstddef>

namespace bothends {
namespace {

// The linear layer's matrix as [outputs, inputs], and which of an output's inputs aren't zero: projections of two
// directions are blocks of one matrix.
struct Transposed {
    explicit Transposed(const LinearWeights& layer)
        : inputs(layer.inputs), numbers(std::size_t(layer.outputs) * inputs) {
        for (int output = 0; output < layer.outputs; ++output) {
            Range range{inputs, 0};
            for (int input = 0; input < inputs; ++input) {
                const float number = layer.matrix[std::size_t(input) * layer.outputs + output];
                row(output)[input] = number;
                if (number != 0) range = {std::min(range.from, input), input + 1};
            }
            ranges.push_back(range);
        }
    }
    double* row(int output) { return &numbers[std::size_t(output) * inputs]; }

    struct Range {
        int from, to;
    };
    int inputs;
    std::vector<double> numbers;
    std::vector<Range> ranges;
};

}  // namespace

FoldedWeights::FoldedWeights(const DirectionWeights& weights, int rows, const LinearWeights& below) : others_(weights) {
    Transposed layer(below);
    b_.assign(2 * std::size_t(rows), 0);
    if (weights.b) std::copy_n(weights.b, b_.size(), b_.begin());
    w_.resize(std::size_t(rows) * below.inputs);
    std::vector<double> sums(std::size_t(below.inputs));  // added up in an order that no processor changes
    for (int row = 0; row < rows; ++row) {
        std::fill(sums.begin(), sums.end(), 0);
        double bias = b_[row];
        for (int output = 0; output < below.outputs; ++output) {
            const double weight = weights.w[std::size_t(row) * below.outputs + output];
            const double* const numbers = layer.row(output);
            for (int input = layer.ranges[output].from; input < layer.ranges[output].to; ++input)
                sums[input] += weight * numbers[input];
            if (below.bias) bias += weight * below.bias[output];
        }
        std::copy(sums.begin(), sums.end(), w_.begin() + std::ptrdiff_t(row) * below.inputs);
        b_[row] = static_cast<float>(bias);
    }
}

DirectionWeights FoldedWeights::weights() const {
    DirectionWeights folded = others_;
    folded.w = w_.data(), folded.b = b_.data();
    return folded;
}

}  // namespace bothends
