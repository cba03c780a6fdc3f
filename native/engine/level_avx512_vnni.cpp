#include "level.hpp"

#include <immintrin.h>

namespace bothends {
namespace {
#include "lanes_avx512.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"

// vpdpbusd adds the products of four pairs at once.
struct Int8Quads : Int8 {
    static void dot(Sum& sum, Word number, Word weight) {
        // Around its intrinsic, GCC 12 copies sums to and fro in some of the loops: `peak` fell to a third.
        asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(number), "v"(weight));
    }
};

#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Replacement replacement{cell_tiles<Int8Quads>(), peak<Int8Quads>};
}  // namespace

const Replacement* avx512_vnni() { return &replacement; }
}  // namespace bothends
