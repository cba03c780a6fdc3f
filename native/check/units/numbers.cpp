// Numbers in JSON.
#include <bit>
#include <cstdint>
#include <limits>

#include "../../transport/json_number.hpp"
#include "to_chars.hpp"
#include "units.hpp"

using namespace transport;
using namespace units;

namespace {

std::string list_of(const std::vector<float>& numbers) {
    std::string json;
    json::append_numbers(json, numbers);
    return json;
}

/// Returns float32 numbers of an exponent (as encoded): the smallest and the largest, and some between; of both signs.
std::vector<float> numbers_of(std::uint32_t exponent) {
    constexpr std::uint32_t fractions = 1u << 23, some = 300;
    std::vector<float> numbers;
    const auto add = [&](std::uint32_t fraction) {
        for (const std::uint32_t sign : {0u, 1u << 31})
            numbers.push_back(std::bit_cast<float>(sign | exponent << 23 | fraction % fractions));
    };
    for (std::uint32_t near = 0; near < 20; ++near) add(near), add(fractions - 1 - near);
    for (std::uint32_t step = 1; step <= some; ++step) add(step * 2654435761u + exponent);  // that leaps all over them
    return numbers;
}

}  // namespace

TEST(numbers_are_the_bytes_that_to_chars_gives) {
    for (std::uint32_t exponent = 0; exponent < 255; ++exponent) {
        const std::vector<float> numbers = numbers_of(exponent);
        CHECK(list_of(numbers) == list_by_to_chars(numbers));
    }
}

TEST(numbers_of_few_digits_are_the_bytes_that_to_chars_gives) {
    for (const float unit : {1e-9f, 1e-6f, 0.001f, 1.0f, 1e4f, 1e9f, 1e11f, 1e12f}) {
        std::vector<float> numbers;
        for (int times = -2000; times <= 2000; ++times) numbers.push_back(float(times) * unit);
        CHECK(list_of(numbers) == list_by_to_chars(numbers));
    }
}

TEST(a_list_is_whole_however_long_it_is) {
    for (std::size_t count : {0, 1, 63, 64, 65, 128, 1000}) {
        const std::vector<float> numbers(count, -1.17549435e-38f);
        CHECK(list_of(numbers) == list_by_to_chars(numbers));
    }
}

TEST(what_is_no_number_is_null) {
    constexpr float infinite = std::numeric_limits<float>::infinity(), none = std::numeric_limits<float>::quiet_NaN();
    CHECK(list_of({infinite, 1, -infinite, none, -none}) == "[null,1.0,null,null,null]");
}
