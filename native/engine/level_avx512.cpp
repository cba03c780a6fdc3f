#include "level.hpp"

#include <immintrin.h>
namespace bothends {
namespace {
#include "lanes_avx512.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"
#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Level level = level_named("avx512f");
}  // namespace

const Level* avx512_level() { return &level; }
}  // namespace bothends
