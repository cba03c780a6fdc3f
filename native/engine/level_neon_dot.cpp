#include "level.hpp"

#include <arm_neon.h>

namespace bothends {
namespace {
#include "lanes_neon.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"

// SDOT adds the products of four pairs at once.
struct Int8Quads : Int8 {
    static constexpr bool by_lane = true;
    static void dot(Sum& sum, Word number, Word weight) { sum = vdotq_s32(sum, bytes(number), bytes(weight)); }
    template <int LANE>
    static void dot_lane(Sum& sum, Word numbers, Word weight) {
        // As `fmla` in lanes_neon.hpp.
        asm("sdot %0.4s, %1.16b, %2.4b[%c3]" : "+w"(sum) : "w"(weight), "w"(numbers), "i"(LANE));
    }

private:
    static int8x16_t bytes(Word word) { return vreinterpretq_s8_s32(word); }
};

#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Replacement replacement{cell_tiles<Int8Quads>(), peak<Int8Quads>};
}  // namespace

const Replacement* neon_dot() { return &replacement; }
}  // namespace bothends
