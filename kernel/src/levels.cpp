#include "levels.hpp"

#include <stdexcept>

#include "level.hpp"

namespace bothends {
namespace {

std::vector<Level> found() {
    std::vector<Level> levels;
#if defined(BOTHENDS_X86)
    __builtin_cpu_init();  // what it says, it says of processor and operating system
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        levels.push_back(*avx512_level());
    if (avx2) levels.push_back(*avx2_level());
#endif
    levels.push_back(*portable_level());
    return levels;
}

}  // namespace

const std::vector<Level>& levels() {
    static const std::vector<Level> here = found();
    return here;
}

const Level& level_named(const std::string& name) {
    if (name == "auto") return levels().front();
    std::string names;
    for (const Level& level : levels()) {
        if (name == level.name) return level;
        names += std::string(", ") + level.name;
    }
    throw std::invalid_argument("level: this processor can't run \"" + name + "\"; choose auto" + names);
}

}  // namespace bothends
