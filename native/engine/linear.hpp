// A linear layer in float32, computed by the tiles that make a table's rows.
#pragma once

#include "pack.hpp"

namespace bothends {

/// A linear layer's packed weights. A row's numbers depend on that row alone.
class Linear {
public:
    // Its input lies as `input` says; `weights` are copied.
    Linear(const Level& level, const LinearWeights& weights, InputLayout input);

    int outputs() const { return outputs_; }
    int stride() const { return (outputs_ + 63) / 64 * 64; }  // of rows of outputs, of which the rest is zeros
    std::size_t bytes() const { return buffer_.bytes; }

    // `inputs` [count, `input_stride`] to `outputs` [count, stride()].
    void run(const float* inputs, std::size_t input_stride, std::int64_t count, float* outputs) const;

private:
    const Level* level_;
    int outputs_;
    PackedBuffer buffer_;
};

}  // namespace bothends
