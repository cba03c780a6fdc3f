#include "linear.hpp"

#include <algorithm>

namespace bothends {

Linear::Linear(const Level& level, const LinearWeights& weights, InputLayout input)
    : level_(&level), outputs_(weights.outputs), buffer_(pack_linear(level, weights, input)) {}

void Linear::run(const float* inputs, std::size_t input_stride, std::int64_t count, float* outputs) const {
    constexpr std::int64_t rows_at_once = 48;  // for which a block of weights is read once
    Row rows[rows_at_once] = {};
    for (std::int64_t from = 0; from < count; from += rows_at_once) {
        const int here = static_cast<int>(std::min(count - from, rows_at_once));
        for (int row = 0; row < here; ++row) {
            rows[row].input = reinterpret_cast<const char*>(inputs + (from + row) * input_stride);
            rows[row].start = reinterpret_cast<const char*>(buffer_.packed.bias);
            rows[row].next = reinterpret_cast<char*>(outputs + (from + row) * stride());
        }
        for (int block = 0; block < buffer_.packed.blocks; ++block)
            for (int row = 0; row < here; row += level_->rows)
                level_->fold[0].of[std::min(here - row, level_->rows) - 1](buffer_.packed, block, rows + row, {});
    }
}

}  // namespace bothends
