#include "levels.hpp"

#include <stdexcept>
#if defined(BOTHENDS_NEON) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(BOTHENDS_NEON) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "level.hpp"
#if defined(BOTHENDS_X86)
#include "processor.hpp"
#endif

namespace bothends {
namespace {

#if defined(BOTHENDS_X86) || defined(BOTHENDS_NEON)
void replace(Level& level, Precision precision, const Replacement& better) {
    level.tiles[static_cast<int>(precision)] = better.tiles;
    level.peak[static_cast<int>(precision)] = better.peak;
}
#endif

#if defined(BOTHENDS_NEON)
// What the operating system says of the processor. Of another one than these nothing is known.
#if defined(__linux__)
bool has_dot_products() { return getauxval(AT_HWCAP) & (1ul << 20); }  // HWCAP_ASIMDDP, HWCAP2_BF16: older headers
bool has_bf16() { return getauxval(AT_HWCAP2) & (1ul << 14); }         // lack their names
#elif defined(__APPLE__)
bool has(const char* feature) {
    int is_there = 0;
    std::size_t size = sizeof is_there;
    return sysctlbyname(feature, &is_there, &size, nullptr, 0) == 0 && is_there;
}
bool has_dot_products() { return has("hw.optional.arm.FEAT_DotProd"); }
bool has_bf16() { return has("hw.optional.arm.FEAT_BF16"); }
#else
bool has_dot_products() { return false; }
bool has_bf16() { return false; }
#endif

// Each has all that the ones after it have, so its name says which instructions compute.
void add_neon(std::vector<Level>& levels) {
    Level level = *neon_level();
    levels = {level};
    if (!has_dot_products()) return;
    level.name = "neon_dot";
    replace(level, Precision::int8, *neon_dot());
    levels.insert(levels.begin(), level);
    if (!has_bf16()) return;
    level.name = "neon_bf16";
    replace(level, Precision::bf16, *neon_bf16());
    levels.insert(levels.begin(), level);
}
#endif

std::vector<Level> found() {
    std::vector<Level> levels;
#if defined(BOTHENDS_X86)
    const Processor here = processor();
    if (here.avx512) {
        levels.push_back(*avx512_level());
        levels.push_back(*avx512_level());
        Level& best = levels.front();
        best.name = "avx512";
        if (here.avx512_bf16) replace(best, Precision::bf16, *avx512_bf16());
        if (here.avx512_vnni) replace(best, Precision::int8, *avx512_vnni());
    }
    if (here.avx2) levels.push_back(*avx2_level());
#elif defined(BOTHENDS_NEON)
    add_neon(levels);
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
