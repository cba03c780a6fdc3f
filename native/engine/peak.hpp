// Measures the limits of this processor's speed, to which a run can be compared.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>

#include "memory.hpp"
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

// Bytes a second that one thread reads from so many, again and again: the best of ten times 64 MB or more.
inline double bytes_per_s(const Level& level, std::int64_t bytes) {
    bytes = (bytes + 511) / 512 * 512;
    const std::int64_t turns = std::max(std::int64_t{1}, (std::int64_t{64} << 20) / bytes);
    const Memory memory = allocated(std::size_t(bytes));
    std::memset(memory.get(), 0, std::size_t(bytes));
    double best = 0;
    for (int attempt = 0; attempt < 10; ++attempt) {
        alignas(alignment) float sink[8 * 16];
        const auto started = std::chrono::steady_clock::now();
        for (std::int64_t turn = 0; turn < turns; ++turn) level.read(memory.get(), bytes, sink);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
        best = std::max(best, static_cast<double>(bytes * turns) / seconds.count());
    }
    return best;
}

}  // namespace bothends
