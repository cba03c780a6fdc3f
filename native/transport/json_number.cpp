#include "json_number.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>

// The digits are found as Raffaello Giulietti finds them in "The Schubfach way to render doubles" (2020), here for float32:
// products by one power of ten say where among the decimals a number lies, and what else is read as that number. They are
// those of std::to_chars, for half of its time: check/numbers.cpp compares all float32, and measures.

namespace transport {
namespace {

static_assert(std::endian::native == std::endian::little);  // as eight digits are written at once

constexpr unsigned fraction_bits = 23;
constexpr std::uint32_t sign_bit = 1u << 31, hidden_bit = 1u << fraction_bits, infinite = 0xffu << fraction_bits;
constexpr std::size_t exponents = 255;  // of finite numbers, as their bits have them

/// Factor for the numbers of one exponent that makes them multiples of a power of ten.
struct Scale {
    std::uint64_t inverse;  // the first bits of 10 to the minus `power`
    int power, shift;
};

/// Positive number as digits and a power of ten. It may end in zeros.
struct Decimal {
    std::uint32_t digits;
    int power;
};

/// Nine digits as characters, with an implied point after the first, and how many remain without the zeros at the end.
struct Digits {
    char first;
    std::uint64_t others;
    int count, exponent;
};

/// Returns the highest 64 bits of 10^power, plus 1 for the bits below them.
constexpr std::uint64_t first_bits(int power) {
    __extension__ using Wide = unsigned __int128;
    Wide fives = 1;  // what is left of tens without their twos, which only shift
    for (int count = power < 0 ? -power : power; count > 0; --count) fives *= 5;
    std::uint64_t bits = 0;
    if (power >= 0) {
        while (fives >> 64 != 0) fives /= 2;
        for (bits = std::uint64_t(fives); bits >> 63 == 0;) bits *= 2;
        return bits + 1;
    }
    for (Wide rest = 1; bits >> 63 == 0; rest -= bits % 2 * fives) {  // 1 divided by them, a bit at a time
        rest *= 2;
        bits = 2 * bits + (rest >= fives);
    }
    return bits + 1;
}

/// Returns the scale of an encoded exponent; 2 to the power of `of_two` is the value of its numbers' last bit.
/// Logarithms are approximated by integers: 1262611 / 2^22 for that of 2 to base 10, 524031 / 2^22 for that of 4/3, and
/// 1741647 / 2^19 for that of 10 to base 2.
constexpr Scale scale_of_exponent(int exponent, bool is_power_of_two) {
    const int of_two = std::max(exponent, 1) - 150;
    const int power = (of_two * 1262611 - (is_power_of_two ? 524031 : 0)) >> 22;
    return {first_bits(-power), power, of_two + ((-power * 1741647) >> 19) + 1};
}

/// Scales by whether a number is a power of two, and by its exponent.
constexpr auto scales = [] {
    std::array<std::array<Scale, exponents>, 2> made{};
    for (std::size_t exponent = 0; exponent < exponents; ++exponent)
        for (const bool is_power : {false, true}) made[is_power][exponent] = scale_of_exponent(int(exponent), is_power);
    return made;
}();

/// Returns the first 32 of a product's 96 bits; the last one is set if more bits follow than the error of `inverse`.
std::uint32_t rounded_to_odd(std::uint64_t inverse, std::uint32_t factor) {
    const std::uint64_t product = (inverse >> 32) * factor + ((inverse & 0xffff'ffff) * factor >> 32);
    return std::uint32_t(product >> 32) | (std::uint32_t(product) > 1);
}

/// Returns the shortest decimal that is read as this positive finite number, and of several the nearest to it.
Decimal shortest(std::uint32_t bits) {
    const std::uint32_t fraction = bits % hidden_bit, exponent = bits >> fraction_bits;
    const std::uint32_t size = fraction + (exponent > 0 ? hidden_bit : 0);
    const bool is_power = fraction == 0 && exponent > 1;  // of two, whose next smaller number is half as far away
    const auto& [inverse, power, shift] = scales[is_power][exponent];
    // Four times the number, and the least and the most that are read as it: half-way to the next ones, which counts where
    // its last bit is 0.
    const std::uint32_t is_odd = size & 1;
    const std::uint32_t number = rounded_to_odd(inverse, (4 * size) << shift);
    const std::uint32_t least = rounded_to_odd(inverse, (4 * size - 2 + is_power) << shift) + is_odd;
    const std::uint32_t most = rounded_to_odd(inverse, (4 * size + 2) << shift) - is_odd;
    const std::uint32_t below = number / 4, ten = most / 40;
    const std::uint32_t nearest = (number + 1 + below % 2) / 4;  // of two that are as near, the even one
    const std::uint32_t digits = std::max(nearest, below + (4 * below < least));
    const std::uint32_t has_ten = 40 * ten >= least;  // and so a digit less
    return {digits + has_ten * (10 * ten - digits), power};  // no branch: it couldn't be foretold
}

Digits digits_of(Decimal decimal) {
    constexpr std::uint32_t nine_digits = 100'000'000, eight_digits = nine_digits / 10,
                            seven_digits = eight_digits / 10;
    static constexpr std::array<std::uint32_t, 3> tens{1, 10, 100};
    std::uint32_t nine = decimal.digits;
    int power = decimal.power;
    for (; nine < seven_digits; --power) nine *= 10;  // only the smallest have fewer
    const int missing = (nine < eight_digits) + (nine < nine_digits);
    nine *= tens[std::size_t(missing)];
    // Eight digits become two numbers of four, then four of two, then eight of one, a byte each.
    const std::uint32_t eight = nine % nine_digits;
    const std::uint64_t fours = eight % 10'000 + (std::uint64_t(eight / 10'000) << 32);
    const std::uint64_t twos = fours + (fours * 10'486 >> 20 & 0x0000'007f'0000'007f) * (0x1'0000 - 100);
    const std::uint64_t ones = twos + (twos * 103 >> 10 & 0x000f'000f'000f'000f) * (0x100 - 10);
    return {char('0' + nine / nine_digits), __builtin_bswap64(ones | 0x3030'3030'3030'3030),
            9 - std::countr_zero(ones) / 8, power - missing + 8};
}

void put(char* to, const Digits& digits) {
    *to = digits.first;
    std::memcpy(to + 1, &digits.others, sizeof digits.others);
}

/// Writes a number of 1 or more, and returns the end.
char* write_whole(char* to, const Digits& digits) {
    put(to, digits);
    const int whole = digits.exponent + 1;
    if (digits.count > whole) {
        std::memmove(to + whole + 1, to + whole, std::size_t(digits.count - whole));
        to[whole] = '.';
        return to + digits.count + 1;
    }
    std::fill(to + digits.count, to + whole, '0');
    return std::copy_n(".0", 2, to + whole);
}

/// Writes a number with its exponent, and returns the end.
char* write_scientific(char* to, const Digits& digits) {
    put(to + 1, digits);
    to[0] = digits.first;
    to[1] = '.';
    to += digits.count == 1 ? 1 : digits.count + 1;
    *to++ = 'e';
    *to++ = digits.exponent < 0 ? '-' : '+';
    return std::to_chars(to, to + 2, std::abs(digits.exponent)).ptr;
}

/// Writes a number, and returns the end. Exponents are used and written as by orjson.
char* write_number(char* to, float number) {
    constexpr int min_plain = -6, max_plain = 12;  // exponents of numbers that are written without one
    const auto bits = std::bit_cast<std::uint32_t>(number), size = bits & ~sign_bit;
    if (size >= infinite) return std::copy_n("null", 4, to);
    *to = '-';
    to += bits >> 31;
    if (size == 0) return std::copy_n("0.0", 3, to);
    const Digits digits = digits_of(shortest(size));
    const int exponent = digits.exponent;
    if (exponent < min_plain || exponent > max_plain) return write_scientific(to, digits);
    if (exponent >= 0) return write_whole(to, digits);
    std::copy_n("0.000000", 8, to);
    put(to + 1 - exponent, digits);
    return to + 1 - exponent + digits.count;
}

}  // namespace

void json::append_numbers(std::string& json, std::span<const float> numbers) {
    json.push_back('[');
    append_members(json, numbers);
    json.push_back(']');
}

void json::append_members(std::string& json, std::span<const float> numbers) {
    constexpr std::size_t at_once = 64;  // which are copied: a string would fill the room for all with zeros first
    std::array<char, at_once*(max_number + 1)> written;
    for (std::size_t first = 0; first < numbers.size(); first += at_once) {
        char* to = written.data();
        for (const float number : numbers.subspan(first, std::min(at_once, numbers.size() - first))) {
            *to++ = ',';
            to = write_number(to, number);
        }
        json.append(written.data() + (first == 0), to);
    }
}

}  // namespace transport
