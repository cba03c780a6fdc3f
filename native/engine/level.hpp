// A level's table of functions, and what its files need before their lanes. Included first, outside any namespace; the
// other headers follow it inside an unnamed namespace: a function shared with other files could be the one that the
// linker keeps, and it would then run on processors that lack its instructions.
#pragma once

#include <cstring>

#include "../shared/half.hpp"
#include "tiles.hpp"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

namespace bothends {

// Each level, where this build has it.
const Level* portable_level();
const Level* avx2_level();
const Level* avx512_level();
const Level* neon_level();

/// One precision's functions in place of a level's own, for processors that have instructions for just that.
struct Replacement {
    CellTiles tiles;
    void (*peak)(std::int64_t rounds, float* sink);
};
const Replacement* avx512_bf16();
const Replacement* avx512_vnni();
const Replacement* neon_dot();
const Replacement* neon_bf16();

}  // namespace bothends
