#include "pack.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace bothends {
namespace {

// The numbers that each gate of each padded unit reads, and its bias.
struct Dense {
    Dense(const LayerShape& layer, const DirectionWeights& weights, int width)
        : units(layer.units()), columns(width), numbers(std::size_t(gates) * units * columns), biases(gates * units) {
        const std::size_t hidden = layer.hidden;
        for (int gate = 0; gate < gates; ++gate) {
            const float* of_gate = weights.b + gate * hidden;
            for (std::size_t unit = 0; unit < hidden; ++unit)
                biases[gate * units + unit] = of_gate[unit] + of_gate[gates * hidden + unit];
        }
    }

    // The columns from `to` on, from those of `source` [4·hidden, `stride`] from `from` on.
    void copy(int to, const float* source, int hidden, int stride, int from, int count) {
        for (int gate = 0; gate < gates; ++gate)
            for (int unit = 0; unit < hidden; ++unit)
                std::memcpy(row(gate, unit) + to, source + (std::size_t(gate) * hidden + unit) * stride + from,
                            count * sizeof(float));
    }

    float* row(int gate, int unit) { return &numbers[(std::size_t(gate) * units + unit) * columns]; }
    const float* row(int gate, int unit) const { return &numbers[(std::size_t(gate) * units + unit) * columns]; }
    float bias(int gate, int unit) const { return biases[gate * units + unit]; }

    int units, columns;
    std::vector<float> numbers, biases;
};

// Places of lanes and words in tile order.
struct Order {
    int width;
    std::size_t lane(int gate, int unit) const {
        return (std::size_t(unit / width) * gates + gate) * width + unit % width;
    }
    std::size_t word(const PackedWeights& packed, int word, int gate, int unit) const {
        return (unit / width) * packed.block_bytes + 4 * ((std::size_t(word) * gates + gate) * width + unit % width);
    }
};

void pack_float32(const PackedWeights& packed, Order order, int gate, int unit, const float* row, int columns,
                  char* to) {
    for (int column = 0; column < columns; ++column)
        std::memcpy(to + order.word(packed, column, gate, unit), row + column, sizeof *row);
}

// To bfloat16, ties to even.
std::uint16_t to_bf16(float number) {
    std::uint32_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void pack_bf16(const PackedWeights& packed, Order order, int gate, int unit, const float* row, int columns, char* to) {
    for (int column = 0; column < columns; ++column) {
        const std::uint16_t weight = to_bf16(row[column]);
        std::memcpy(to + order.word(packed, column / 2, gate, unit) + column % 2 * 2, &weight, sizeof weight);
    }
}

// Returns what a step of the row's integers is worth; adds them up in `sum`.
float pack_int8(const PackedWeights& packed, Order order, int gate, int unit, const float* row, int columns, char* to,
                std::int32_t& sum) {
    float largest = 0;
    for (int column = 0; column < columns; ++column) largest = std::max(largest, std::fabs(row[column]));
    const float step = largest / 127;
    for (int column = 0; column < columns; ++column) {
        // A step of denormals may be too coarse by a half: hence the bounds.
        const float steps = step > 0 ? std::clamp(row[column] / step, -127.0f, 127.0f) : 0;
        const auto weight = static_cast<std::int8_t>(std::lrintf(steps));
        sum += weight;
        to[order.word(packed, column / 4, gate, unit) + column % 4] = static_cast<char>(weight);
    }
    return step;
}

PackedBuffer pack(const LayerShape& layer, const Dense& dense, Precision precision) {
    const int words = dense.columns / (precision == Precision::float32 ? 1 : layer.numbers_in_word());
    const std::size_t lanes = std::size_t(dense.units) * gates, weight_bytes = lanes * words * 4;
    PackedBuffer made{{}, allocated_for_reading(weight_bytes + 3 * 4 * lanes), weight_bytes + 3 * 4 * lanes};
    char* const weights = made.memory.get();
    float* const biases = reinterpret_cast<float*>(weights + weight_bytes);
    float* const scales = biases + lanes;
    std::int32_t* const corrections = reinterpret_cast<std::int32_t*>(scales + lanes);
    PackedWeights& packed = made.packed;
    packed.weights = weights, packed.bias = biases, packed.scale = scales, packed.correction = corrections;
    packed.blocks = dense.units / layer.level->width;
    packed.block_bytes = std::ptrdiff_t(weight_bytes / packed.blocks);
    const Order order{layer.level->width};
    for (int gate = 0; gate < gates; ++gate) {
        for (int unit = 0; unit < dense.units; ++unit) {
            const std::size_t lane = order.lane(gate, unit);
            biases[lane] = dense.bias(gate, unit), scales[lane] = 0, corrections[lane] = 0;
            const float* const row = dense.row(gate, unit);
            if (precision == Precision::float32) pack_float32(packed, order, gate, unit, row, dense.columns, weights);
            if (precision == Precision::bf16) pack_bf16(packed, order, gate, unit, row, dense.columns, weights);
            if (precision != Precision::int8) continue;
            std::int32_t sum = 0;
            scales[lane] = pack_int8(packed, order, gate, unit, row, dense.columns, weights, sum) / 127;
            corrections[lane] = -layer.level->int8_offset * sum;
        }
    }
    return made;
}

}  // namespace

PackedBuffer pack_first(const Shape& shape, const DirectionWeights& weights) {
    const LayerShape& layer = shape.layers.front();
    Dense dense(layer, weights, layer.units());
    dense.copy(0, weights.r, layer.hidden, layer.hidden, 0, layer.hidden);
    PackedBuffer made = pack(layer, dense, layer.precision);
    made.packed.state_words = layer.state_words();
    made.packed.half_start = layer.half_table();
    return made;
}

PackedBuffer pack_above(const Shape& shape, std::size_t index, const DirectionWeights& weights) {
    const LayerShape &layer = shape.layers[index], &below = shape.layers[index - 1];
    const int inputs = shape.directions * below.hidden, inputs_padded = shape.directions * below.units();
    Dense dense(layer, weights, inputs_padded + layer.units());
    for (int direction = 0; direction < shape.directions; ++direction)  // what each direction below says
        dense.copy(direction * below.units(), weights.w, layer.hidden, inputs, direction * below.hidden, below.hidden);
    dense.copy(inputs_padded, weights.r, layer.hidden, layer.hidden, 0, layer.hidden);
    PackedBuffer made = pack(layer, dense, layer.precision);
    made.packed.state_words = layer.state_words();
    made.packed.input_words = shape.directions * below.state_words();
    return made;
}

PackedBuffer pack_fold(const Shape& shape, const DirectionWeights& weights) {
    const LayerShape& layer = shape.layers.front();
    Dense dense(layer, weights, shape.embedding);
    dense.copy(0, weights.w, layer.hidden, shape.embedding, 0, shape.embedding);
    PackedBuffer made = pack(layer, dense, Precision::float32);
    made.packed.input_words = shape.embedding;
    return made;
}

}  // namespace bothends
