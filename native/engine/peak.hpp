// Measures the limit of this processor's speed, to which a run can be compared.
#pragma once

#include <time.h>

#include <algorithm>

#include "tiles.hpp"

namespace bothends {

// Seconds of a core that this thread has had, however many others want it.
inline double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

// Multiplications and additions of one thread in a second of a core, from registers: the best of four times a few
// milliseconds.
inline double operations_per_s(const Level& level, Precision precision) {
    constexpr std::int64_t rounds = 400'000;
    const int numbers = precision == Precision::float32 ? 1 : precision == Precision::bf16 ? 2 : 4;
    const double operations = 2.0 * rounds * level.rows * gates * level.width * numbers;
    double best = 0;
    for (int attempt = 0; attempt < 4; ++attempt) {
        alignas(alignment) float sink[max_rows * gates * 16] = {};
        const double started = thread_seconds();
        level.peak[static_cast<int>(precision)](rounds, sink);
        best = std::max(best, operations / (thread_seconds() - started));
    }
    return best;
}

}  // namespace bothends
