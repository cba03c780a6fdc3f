// Which levels this processor can run.
#pragma once

#include <string>
#include <vector>

#include "tiles.hpp"

namespace bothends {

// Best first; "portable" is always there.
const std::vector<Level>& levels();

// The level of that name, or the best for "auto". Throws std::invalid_argument.
const Level& level_named(const std::string& name);

}  // namespace bothends
