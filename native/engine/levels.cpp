#include "levels.hpp"

#include <stdexcept>

#include "level.hpp"

namespace bothends {
namespace {

#if defined(BOTHENDS_X86)
void replace(Level& level, Precision precision, const Replacement& better) {
    level.step[static_cast<int>(precision)] = better.step;
    level.peak[static_cast<int>(precision)] = better.peak;
}
#endif

std::vector<Level> found() {
    std::vector<Level> levels;
#if defined(BOTHENDS_X86)
    __builtin_cpu_init();  // what it says, it says of processor and operating system
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        levels.push_back(*avx512_level());
        levels.push_back(*avx512_level());
        Level& best = levels.front();
        best.name = "avx512";
        if (__builtin_cpu_supports("avx512bf16")) replace(best, Precision::bf16, *avx512_bf16());
        if (__builtin_cpu_supports("avx512vnni")) replace(best, Precision::int8, *avx512_vnni());
    }
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
