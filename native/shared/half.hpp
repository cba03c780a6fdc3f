// Float16 to float32 and back, bit by bit, for code that runs on any processor. Rounds to nearest, ties to even.
// Everything here has internal linkage: files compiled for one processor include it as well.
#pragma once

#include <cstdint>
#include <cstring>

namespace bothends {

static inline float from_half(std::uint16_t half) {
    const std::uint32_t shifted = (half & 0x7fffu) << 13;
    float magnitude;
    std::memcpy(&magnitude, &shifted, sizeof magnitude);
    magnitude *= 0x1p112f;  // the exponents' biases differ by 112; exact, subnormals too
    std::uint32_t bits;
    std::memcpy(&bits, &magnitude, sizeof bits);
    bits |= (half & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0u;  // inf and NaN
    bits |= (half & 0x8000u) << 16;
    std::memcpy(&magnitude, &bits, sizeof magnitude);
    return magnitude;
}

static inline std::uint16_t to_half(float number) {
    std::uint32_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
    if (bits >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65520 and more
    if (bits < 0x38800000u) {  // below 2^-14, float16 counts in steps of 2^-24, as float32 does between 0.5 and 1
        float magnitude;
        std::memcpy(&magnitude, &bits, sizeof magnitude);
        magnitude += 0.5f;
        std::memcpy(&bits, &magnitude, sizeof bits);
        return static_cast<std::uint16_t>(sign | (bits - 0x3f000000u));
    }
    bits += 0xfffu + ((bits >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | ((bits - 0x38000000u) >> 13));
}

}  // namespace bothends
