// Measures the limit of this processor's speed, to which a run can be compared.
#pragma once

#include <algorithm>
#include <chrono>

#include "tiles.hpp"

namespace bothends {

// Multiplications and additions a second of one thread, from registers: the best of ten times a few milliseconds.
inline double operations_per_s(const Level& level, Precision precision) {
    constexpr std::int64_t rounds = 400'000;
    const int numbers = precision == Precision::float32 ? 1 : precision == Precision::bf16 ? 2 : 4;
    const double operations = 2.0 * rounds * level.rows * gates * level.width * numbers;
    double best = 0;
    for (int attempt = 0; attempt < 10; ++attempt) {
        alignas(alignment) float sink[max_rows * gates * 16] = {};
        const auto started = std::chrono::steady_clock::now();
        level.peak[static_cast<int>(precision)](rounds, sink);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
        best = std::max(best, operations / seconds.count());
    }
    return best;
}

}  // namespace bothends
