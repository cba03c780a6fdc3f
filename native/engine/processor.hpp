// What an x86 processor can do and the operating system keeps registers for, asked of the processor itself. __builtin_cpu_supports asks the
// compiler's runtime, and zig's denies everything.
#pragma once

#include <cpuid.h>

namespace bothends {

/// Processor features that the levels need, each with those before it.
struct Processor {
    bool avx2 = false;  // with FMA and F16C
    bool avx512 = false;  // F and BW
    bool avx512_bf16 = false;
    bool avx512_vnni = false;
};

inline Processor processor() {
    constexpr unsigned ymm = 0x06, zmm = 0xe6;  // of XCR0: registers that are kept when another thread runs
    constexpr unsigned first = bit_OSXSAVE | bit_FMA | bit_F16C, wide = bit_AVX512F | bit_AVX512BW;
    Processor found;
    unsigned a = 0, b = 0, c = 0, d = 0, kept = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & first) != first) return found;
    __asm__("xgetbv" : "=a"(kept), "=d"(d) : "c"(0));
    if ((kept & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
    found.avx2 = b & bit_AVX2;
    found.avx512 = found.avx2 && (b & wide) == wide && (kept & zmm) == zmm;
    found.avx512_vnni = found.avx512 && (c & bit_AVX512VNNI);
    found.avx512_bf16 = found.avx512 && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16);
    return found;
}

}  // namespace bothends
