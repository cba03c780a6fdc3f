#include "level.hpp"
namespace bothends {
namespace {
#include "lanes_portable.hpp"
#include "gates.hpp"
#include "arithmetic.hpp"
#include "pool.hpp"
#include "tile.hpp"
#include "tile_gru.hpp"
#include "numbers.hpp"
#include "functions.hpp"

constexpr Level level = level_named("portable");
}  // namespace

const Level* portable_level() { return &level; }
}  // namespace bothends
