#include "level.hpp"

#include <immintrin.h>

namespace bothends {
namespace {
#include "lanes_avx512.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"

// vdpbf16ps adds the products of two pairs at once.
struct Bf16Pairs : Bf16 {
    static void dot(Sum& sum, Word number, Word weight) {
        sum = _mm512_dpbf16_ps(sum, __m512bh(number), __m512bh(weight));
    }
};

#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Replacement replacement{cell_tiles<Bf16Pairs>(), peak<Bf16Pairs>};
}  // namespace

const Replacement* avx512_bf16() { return &replacement; }
}  // namespace bothends
