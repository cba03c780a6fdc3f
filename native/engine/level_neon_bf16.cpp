#include "level.hpp"

#include <arm_neon.h>

namespace bothends {
namespace {
#include "lanes_neon.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"

// BFDOT adds the products of two pairs at once.
struct Bf16Pairs : Bf16 {
    static constexpr bool by_lane = true;
    static void dot(Sum& sum, Word number, Word weight) { sum = vbfdotq_f32(sum, halves(number), halves(weight)); }
    template <int LANE>
    static void dot_lane(Sum& sum, Word numbers, Word weight) {
        // As `fmla` in lanes_neon.hpp; here Clang 22 copies lanes, too.
        asm("bfdot %0.4s, %1.8h, %2.2h[%c3]" : "+w"(sum) : "w"(weight), "w"(numbers), "i"(LANE));
    }

private:
    static bfloat16x8_t halves(Word word) { return vreinterpretq_bf16_s32(word); }
};

#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Replacement replacement{cell_tiles<Bf16Pairs>(), peak<Bf16Pairs>};
}  // namespace

const Replacement* neon_bf16() { return &replacement; }
}  // namespace bothends
