#include "level.hpp"

#include <immintrin.h>
namespace bothends {
namespace {
#include "lanes_avx2.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"
#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Level level = level_named("avx2");
}  // namespace

const Level* avx2_level() { return &level; }
}  // namespace bothends
