// Compares every finite float32, as JSON has it, with what std::to_chars makes of it; some minutes. The preset plain builds it.
#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "../transport/json_number.hpp"
#include "units/to_chars.hpp"

using namespace transport;

int main() {
    constexpr std::uint64_t infinite = 0x7f80'0000, at_once = 1 << 15;
    std::uint64_t wrong = 0;
    std::string json;
    std::vector<float> numbers(at_once);
    for (std::uint64_t first = 0; first < 2 * infinite; first += at_once) {
        for (std::uint64_t index = 0; index < at_once; ++index) {
            const std::uint64_t bits = first + index;
            numbers[index] = std::bit_cast<float>(std::uint32_t(bits < infinite ? bits : bits - infinite + (1u << 31)));
        }
        json.clear();
        json::append_numbers(json, numbers);
        wrong += json != units::list_by_to_chars(numbers);
    }
    std::printf("%llu of %llu lists of %llu numbers aren't as std::to_chars has them\n", (unsigned long long)wrong,
                (unsigned long long)(2 * infinite / at_once), (unsigned long long)at_once);
    return wrong > 0;
}
