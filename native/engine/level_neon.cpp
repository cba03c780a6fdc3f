#include "level.hpp"

#include <arm_neon.h>
namespace bothends {
namespace {
#include "lanes_neon.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"
#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Level level = level_named("neon");
}  // namespace

const Level* neon_level() { return &level; }
}  // namespace bothends
