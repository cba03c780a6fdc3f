#include "pack.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace bothends {
namespace {

// The numbers that each gate of each padded unit reads, and its bias. Columns are those of inputs, then those of states.
struct Dense {
    Dense(int gate_count, int unit_count, int of_inputs, int of_states)
        : gates(gate_count),
          state_gates(gate_count),
          units(unit_count),
          inputs(of_inputs),
          columns(of_inputs + of_states),
          numbers(std::size_t(gates) * units * columns),
          biases(std::size_t(gates) * units) {}

    // The columns from `to` on, from `width` of `source` [gates·hidden, `stride`] from `from` on, times `factor`.
    void copy(int to, const float* source, int hidden, int stride, int from, int width, float factor) {
        for (int gate = 0; gate < gates; ++gate)
            for (int unit = 0; unit < hidden; ++unit) {
                const float* const given = source + (std::size_t(gate) * hidden + unit) * stride + from;
                std::transform(given, given + width, row(gate, unit) + to,
                               [factor](float number) { return number * factor; });
            }
    }

    float* row(int gate, int unit) { return &numbers[(std::size_t(gate) * units + unit) * columns]; }
    const float* row(int gate, int unit) const { return &numbers[(std::size_t(gate) * units + unit) * columns]; }
    float& bias(int gate, int unit) { return biases[std::size_t(gate) * units + unit]; }
    // Those that a gate reads.
    int columns_of(int gate) const { return gate < state_gates ? columns : inputs; }

    int gates, state_gates;  // the latter read states
    int units, inputs, columns;
    std::vector<float> numbers, biases, inner_biases;  // [gates][units][columns], [gates][units], [units] if any
};

// Places of lanes and words in tile order.
struct Order {
    const Dense& dense;
    int width, input_words;
    std::size_t lane(int gate, int unit) const {
        return (std::size_t(unit / width) * dense.gates + gate) * width + unit % width;
    }
    std::size_t word(const PackedWeights& packed, int word, int gate, int unit) const {
        const std::size_t of_inputs = std::min(word, input_words), of_states = word - of_inputs;
        const std::size_t before = of_inputs * dense.gates + of_states * dense.state_gates + gate;
        return (unit / width) * packed.block_bytes + 4 * (before * width + unit % width);
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

/// Sums of a row's integers, over inputs and over states.
struct IntegerSums {
    std::int32_t inputs = 0, states = 0;
};

// Returns what a step of the row's integers is worth; adds them up in `sums`.
float pack_int8(const PackedWeights& packed, Order order, int gate, int unit, const float* row, int columns, char* to,
                IntegerSums& sums) {
    float largest = 0;
    for (int column = 0; column < columns; ++column) largest = std::max(largest, std::fabs(row[column]));
    const float step = largest / 127;
    for (int column = 0; column < columns; ++column) {
        // A step of denormals may be too coarse by a half: hence the bounds.
        const float steps = step > 0 ? std::clamp(row[column] / step, -127.0f, 127.0f) : 0;
        const auto weight = static_cast<std::int8_t>(std::lrintf(steps));
        (column < order.dense.inputs ? sums.inputs : sums.states) += weight;
        to[order.word(packed, column / 4, gate, unit) + column % 4] = static_cast<char>(weight);
    }
    return step;
}

PackedBuffer pack(const Level& level, const Dense& dense, Precision precision) {
    const int numbers = numbers_in_word(precision), width = level.width, units = dense.units;
    const int inputs = dense.inputs / numbers, states = (dense.columns - dense.inputs) / numbers;
    const std::size_t words = std::size_t(inputs) * dense.gates + std::size_t(states) * dense.state_gates;
    const std::size_t lanes = std::size_t(units) * dense.gates, weight_bytes = words * units * 4;
    const std::size_t bytes = weight_bytes + 4 * (3 * lanes + 2 * std::size_t(units));
    PackedBuffer made{PackedWeights{}, allocated_for_reading(bytes), bytes};
    char* const weights = made.memory.get();
    float* const biases = reinterpret_cast<float*>(weights + weight_bytes);
    float* const scales = biases + lanes;
    std::int32_t* const corrections = reinterpret_cast<std::int32_t*>(scales + lanes);
    std::int32_t* const inner_corrections = corrections + lanes;
    float* const inner_biases = reinterpret_cast<float*>(inner_corrections + units);
    PackedWeights& packed = made.packed;
    packed.weights = weights, packed.bias = biases, packed.scale = scales, packed.correction = corrections;
    packed.inner_bias = inner_biases, packed.inner_correction = inner_corrections;
    packed.blocks = units / width;
    packed.block_bytes = std::ptrdiff_t(weight_bytes / packed.blocks);
    packed.input_words = inputs, packed.state_words = states;
    packed.start_bytes = std::ptrdiff_t(4) * dense.gates * width;
    for (int unit = 0; unit < units; ++unit)
        inner_biases[unit] = dense.inner_biases.empty() ? 0 : dense.inner_biases[unit], inner_corrections[unit] = 0;
    const Order order{dense, width, inputs};
    for (int gate = 0; gate < dense.gates; ++gate) {
        const int columns = dense.columns_of(gate);
        const bool is_inner = gate == dense.gates - 1 && !dense.inner_biases.empty();
        for (int unit = 0; unit < units; ++unit) {
            const std::size_t lane = order.lane(gate, unit);
            biases[lane] = dense.biases[std::size_t(gate) * units + unit], scales[lane] = 0, corrections[lane] = 0;
            const float* const row = dense.row(gate, unit);
            if (precision == Precision::float32) pack_float32(packed, order, gate, unit, row, columns, weights);
            if (precision == Precision::bf16) pack_bf16(packed, order, gate, unit, row, columns, weights);
            if (precision != Precision::int8) continue;
            IntegerSums sums;
            scales[lane] = pack_int8(packed, order, gate, unit, row, columns, weights, sums) / 127;
            corrections[lane] = -level.int8_offset * (sums.inputs + (is_inner ? 0 : sums.states));
            if (is_inner) inner_corrections[unit] = -level.int8_offset * sums.states;
        }
    }
    return made;
}

// Biases of a cell's gates. Those that a GRU's candidate has of states stand by themselves.
void add_biases(Dense& dense, const LayerShape& layer, const DirectionWeights& weights) {
    const int count = gates_of(layer.cell);
    if (layer.cell != Cell::lstm) dense.inner_biases.resize(std::size_t(dense.units));
    if (!weights.b) return;
    const std::size_t hidden = layer.hidden;
    for (int gate = 0; gate < count; ++gate) {
        const float* const of_inputs = weights.b + gate * hidden;
        const float* const of_states = of_inputs + count * hidden;
        const bool is_inner = layer.cell != Cell::lstm && gate == count - 1;
        for (int unit = 0; unit < layer.hidden; ++unit) {
            if (is_inner) dense.inner_biases[unit] = of_states[unit];
            dense.bias(gate, unit) = is_inner ? of_inputs[unit] : of_inputs[unit] + of_states[unit];
        }
    }
}

// What a state's number is multiplied by before its weights are packed: int8 divides states by their bound.
float factor(const LayerShape& layer) { return layer.precision == Precision::int8 ? layer.state_bound : 1; }

// What a sentence begins with.
void add_initial(PackedCell& made, const LayerShape& layer, const DirectionWeights& weights) {
    const std::size_t units = std::size_t(layer.units());
    std::vector<float> h(units);
    if (weights.h_0) std::copy_n(weights.h_0, layer.hidden, h.begin());
    made.initial_cell = layer.cell == Cell::lstm ? std::vector<float>(units) : h;
    if (weights.c_0) std::copy_n(weights.c_0, layer.hidden, made.initial_cell.begin());
    made.initial_state = allocated(layer.state_bytes());
    char* const to = made.initial_state.get();
    for (std::size_t unit = 0; unit < units; ++unit) {
        if (layer.precision == Precision::float32) as<float>(made.initial_state)[unit] = h[unit];
        if (layer.precision == Precision::bf16) as<std::uint16_t>(made.initial_state)[unit] = to_bf16(h[unit]);
        if (layer.precision == Precision::int8)
            to[unit] = static_cast<char>(std::lrintf(h[unit] * layer.state_steps()) + layer.level->int8_offset);
    }
}

// A linear layer of `rows`, each of `columns` numbers, or nullptr for zeros.
PackedBuffer pack_rows(const Level& level, int columns, const std::vector<const float*>& rows,
                       const std::vector<float>& biases) {
    const int outputs = static_cast<int>(rows.size()), block = gates * level.width;
    Dense dense(gates, (outputs + 63) / 64 * 16, columns, 0);
    for (int output = 0; output < outputs; ++output) {  // in the order in which tiles write them
        const int gate = output % block / level.width, unit = output / block * level.width + output % level.width;
        if (rows[output]) std::copy_n(rows[output], columns, dense.row(gate, unit));
        dense.bias(gate, unit) = biases[output];
    }
    return pack(level, dense, Precision::float32);
}

}  // namespace

PackedCell pack_cell(const Shape& shape, std::size_t index, const DirectionWeights& weights) {
    const LayerShape& layer = shape.layers[index];
    const int hidden = layer.hidden, count = gates_of(layer.cell);
    const bool apart = layer.cell == Cell::gru_reset_before;
    const LayerShape* const below = index > 0 ? &shape.layers[index - 1] : nullptr;
    const int inputs = below ? shape.directions * below->units() : 0;
    Dense dense(count, layer.units(), inputs, layer.units());
    add_biases(dense, layer, weights);
    for (int direction = 0; below && direction < shape.directions; ++direction)  // what each direction below says
        dense.copy(direction * below->units(), weights.w, hidden, shape.directions * below->hidden,
                   direction * below->hidden, below->hidden, factor(*below));
    dense.copy(inputs, weights.r, hidden, hidden, 0, hidden, factor(layer));
    if (apart) dense.state_gates = count - 1;
    PackedCell made;
    made.step = pack(*layer.level, dense, layer.precision);
    if (apart) {
        Dense last(1, layer.units(), 0, layer.units());
        last.copy(0, weights.r + std::size_t(count - 1) * hidden * hidden, hidden, hidden, 0, hidden, factor(layer));
        last.inner_biases = dense.inner_biases;
        made.candidate = pack(*layer.level, last, layer.precision);
    }
    for (PackedWeights* packed : {&made.step.packed, &made.candidate.packed}) {
        packed->state_steps = layer.state_steps();
        packed->half_start = !below && layer.half_table();
    }
    if (made.step.packed.half_start) made.step.packed.start_bytes /= 2;
    add_initial(made, layer, weights);
    return made;
}

PackedBuffer pack_fold(const Shape& shape, const DirectionWeights& weights) {
    const LayerShape& layer = shape.layers.front();
    const int width = layer.level->width, count = gates_of(layer.cell);
    Dense dense(count, layer.units(), 0, 0);
    add_biases(dense, layer, weights);
    std::vector<const float*> rows(std::size_t(layer.start_numbers()));
    std::vector<float> biases(rows.size());
    const Order order{dense, width, 0};
    for (int gate = 0; gate < count; ++gate)
        for (int unit = 0; unit < layer.hidden; ++unit) {
            const std::size_t to = order.lane(gate, unit);
            rows[to] = weights.w + (std::size_t(gate) * layer.hidden + unit) * shape.embedding;
            biases[to] = dense.bias(gate, unit);
        }
    return pack_rows(*layer.level, shape.embedding, rows, biases);
}

PackedBuffer pack_linear(const Level& level, const LinearWeights& weights, InputLayout input) {
    const int columns = input.vectors * input.padded;
    std::vector<float> transposed(std::size_t(weights.outputs) * columns);
    std::vector<const float*> rows;
    for (int output = 0; output < weights.outputs; ++output) {
        float* const row = transposed.data() + std::size_t(output) * columns;
        for (int number = 0; number < weights.inputs; ++number)
            row[number / input.size * input.padded + number % input.size] =
                weights.matrix[std::size_t(number) * weights.outputs + output];
        rows.push_back(row);
    }
    std::vector<float> biases(rows.size());
    if (weights.bias) biases.assign(weights.bias, weights.bias + weights.outputs);
    return pack_rows(level, columns, rows, biases);
}

}  // namespace bothends
