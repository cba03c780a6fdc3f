#include "shape.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../shared/half.hpp"
#include "json_number.hpp"

namespace transport {
namespace {

static_assert(std::endian::native == std::endian::little);  // as float16's bytes are

constexpr float int8_most = 127;

/// Returns the sum of squares. The second half is added to the first, element by element, until one is left: the same
/// order as in Python.
float squared_length(std::span<const float> row) {
    static thread_local std::vector<float> sums;
    sums.resize(row.size());
    for (std::size_t index = 0; index < row.size(); ++index) sums[index] = row[index] * row[index];
    for (std::size_t width = row.size(); width > 1;) {
        const std::size_t half = (width + 1) / 2;
        float* const first = sums.data();
        const float* const second = first + half;
        for (std::size_t index = 0; index < width - half; ++index) first[index] += second[index];
        width = half;
    }
    return sums[0];
}

void scale_to_unit_length(std::span<float> row) {
    const float length = std::sqrt(squared_length(row));
    if (length > 0)  // a row of zeros has no direction
        for (float& number : row) number /= length;
}

/// Extends a string by `count` bytes, and returns the place to write them.
char* room_for(std::string& to, std::size_t count) {
    to.resize(to.size() + count);
    return to.data() + to.size() - count;
}

}  // namespace

std::size_t max_written_bytes(const Options& options, std::size_t numbers) {
    constexpr std::size_t around = 80;  // what JSON says beside a row's numbers, and more than protobuf does
    const std::size_t count = options.dimensions != 0 ? options.dimensions : numbers;
    const bool is_text = options.encoding == Encoding::text;
    const std::size_t most = is_text ? max_number + 1 : 2 * sizeof(float);  // more than base64 takes
    return around + count * most;
}

std::span<const float> shaped(std::span<const float> row, const Options& options) {
    static thread_local std::vector<float> room;
    const bool is_nested = options.dimensions != 0 && options.dimensions != row.size();
    if (!is_nested && !options.is_normalized) return row;
    if (is_nested) {  // the first numbers of each half
        const std::size_t half = options.dimensions / 2;
        room.resize(2 * half);
        std::copy_n(row.begin(), half, room.begin());
        std::copy_n(row.begin() + long(row.size() / 2), half, room.begin() + long(half));
    } else {
        room.assign(row.begin(), row.end());
    }
    if (options.is_normalized) scale_to_unit_length(room);
    return room;
}

void mean_of_pieces(std::span<float> rows, std::size_t dimension) {
    const std::span<float> sum = rows.first(dimension);
    scale_to_unit_length(sum);
    for (std::span<float> rest = rows.subspan(dimension); !rest.empty(); rest = rest.subspan(dimension)) {
        const std::span<float> row = rest.first(dimension);
        scale_to_unit_length(row);
        for (std::size_t index = 0; index < dimension; ++index) sum[index] += row[index];
    }
    scale_to_unit_length(sum);
}

void append_float16(std::string& to, std::span<const float> row) {
    char* out = room_for(to, row.size() * sizeof(std::uint16_t));
    for (const float number : row) {
        const std::uint16_t half = bothends::to_half(number);
        *out++ = char(half);
        *out++ = char(half >> 8);
    }
}

float scale_of(std::span<const float> row) {
    float most = 0;
    for (const float number : row) most = std::max(most, std::abs(number));
    return most / int8_most;
}

void append_int8(std::string& to, std::span<const float> row, float scale) {
    constexpr float whole = 0x1.8p23f;  // in whose size a float32 has no fraction left: adding it rounds
    const float divisor = scale > 0 ? scale : 1;
    char* const out = room_for(to, row.size());
    for (std::size_t index = 0; index < row.size(); ++index) {
        const float rounded = row[index] / divisor + whole - whole;
        out[index] = char(std::int32_t(rounded));
    }
}

void append_sign_bits(std::string& to, std::span<const float> row) {
    char* out = room_for(to, (row.size() + 7) / 8);
    for (std::size_t first = 0; first < row.size(); first += 8, ++out) {
        const std::size_t count = std::min<std::size_t>(8, row.size() - first);
        unsigned bits = 0;
        for (std::size_t index = 0; index < count; ++index) bits |= unsigned(row[first + index] > 0) << (7 - index);
        *out = char(bits);
    }
}

}  // namespace transport
