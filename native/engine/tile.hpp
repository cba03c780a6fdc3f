// A fused tile: a few rows × one block of units × 4 gates of sums in registers; then gates and states while they are
// there. Included after a level's lanes, gates and arithmetics.

template <class A, int ROWS>
using Sums = typename A::Sum[ROWS][gates];

// The weights of one word, all gates.
constexpr std::ptrdiff_t gate_bytes = 4 * Lanes::width, word_bytes = gates * gate_bytes;

// Adds the products of the words in one lane of each row's numbers.
template <class A, int LANE, int ROWS>
ALWAYS_INLINE void add_lane(Sums<A, ROWS>& sums, const typename A::Word (&numbers)[ROWS], const char* weights) {
    UNROLLED
    for (int pair = 0; pair < gates; pair += 2) {
        asm volatile("" ::: "memory");  // or GCC would load weights of more gates than it has registers for
        const typename A::Word weight[2] = {A::load(weights + pair * gate_bytes),
                                            A::load(weights + (pair + 1) * gate_bytes)};
        UNROLLED
        for (int row = 0; row < ROWS; ++row) A::template dot_lane<LANE>(sums[row][pair], numbers[row], weight[0]);
        UNROLLED
        for (int row = 0; row < ROWS; ++row) A::template dot_lane<LANE>(sums[row][pair + 1], numbers[row], weight[1]);
    }
}

// Adds the products of four words of each row, which are loaded at once; in the order in which they stand, as always.
template <class A, int ROWS>
ALWAYS_INLINE void add_four(Sums<A, ROWS>& sums, const char* const (&numbers)[ROWS], std::ptrdiff_t at,
                            const char* weights) {
    typename A::Word four[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) four[row] = A::load(numbers[row] + at);
    add_lane<A, 0, ROWS>(sums, four, weights);
    add_lane<A, 1, ROWS>(sums, four, weights + word_bytes);
    add_lane<A, 2, ROWS>(sums, four, weights + 2 * word_bytes);
    add_lane<A, 3, ROWS>(sums, four, weights + 3 * word_bytes);
}

// Adds the products of `words` words of each row with the weights; returns where the weights go on.
template <class A, int ROWS>
ALWAYS_INLINE const char* accumulate(Sums<A, ROWS>& sums, const char* const (&numbers)[ROWS], int words,
                                     const char* weights) {
    const std::ptrdiff_t end = 4 * std::ptrdiff_t{words};
    std::ptrdiff_t at = 0;
    if constexpr (A::by_lane) {
        for (; at + 16 <= end; at += 16, weights += 4 * word_bytes) add_four<A, ROWS>(sums, numbers, at, weights);
    }
    for (; at < end; at += 4, weights += word_bytes) {
        typename A::Word weight[gates] = {A::load(weights), A::load(weights + gate_bytes),
                                          A::load(weights + 2 * gate_bytes), A::load(weights + 3 * gate_bytes)};
        if constexpr (ROWS > 1) Lanes::keep(weight);
        UNROLLED
        for (int row = 0; row < ROWS; ++row) {
            const typename A::Word number = A::all(numbers[row] + at);
            UNROLLED
            for (int gate = 0; gate < gates; ++gate) A::dot(sums[row][gate], number, weight[gate]);
        }
    }
    return weights;
}

template <class A, bool HALF, int ROWS>
ALWAYS_INLINE void start(Sums<A, ROWS>& sums, const PackedWeights& packed, int lane, const Row* rows) {
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        UNROLLED
        for (int gate = 0; gate < gates; ++gate)
            sums[row][gate] = A::template start<HALF>(packed, rows[row].start, lane + gate * Lanes::width);
    }
}

template <class A, bool HALF, int ROWS>
ALWAYS_INLINE void finish(const Sums<A, ROWS>& sums, const PackedWeights& packed, int block, const Row* rows) {
    const int unit = block * Lanes::width, lane = gates * unit;
    // A row's cell, then its state, is one long chain of operations that wait for each other: all cells go first, so
    // that rows fill each other's waits, and are unrolled, so that as many as the processor can look ahead do.
    Lanes::Float of_o[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        Lanes::Float worth[gates];
        UNROLLED
        for (int gate = 0; gate < gates; ++gate)
            worth[gate] =
                A::template finish<HALF>(packed, rows[row].start, lane + gate * Lanes::width, sums[row][gate]);
        of_o[row] = next_cell(worth, rows[row].cell + unit);
    }
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        const Lanes::Float h = next_state(rows[row].cell + unit, of_o[row]);
        A::store(rows[row].next, unit, h);
        if (rows[row].last) Lanes::store(rows[row].last + unit, h);
    }
}

template <class A, int ROWS>
void step(const PackedWeights& packed, int block, const Row* rows) {
    const int lane = block * gates * Lanes::width;
    const char* inputs[ROWS];
    const char* states[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) inputs[row] = rows[row].input, states[row] = rows[row].state;
    Sums<A, ROWS> sums;
    if (packed.half_start) start<A, true, ROWS>(sums, packed, lane, rows);
    else start<A, false, ROWS>(sums, packed, lane, rows);
    const char* weights = packed.weights + block * packed.block_bytes;
    weights = accumulate<A, ROWS>(sums, inputs, packed.input_words, weights);
    accumulate<A, ROWS>(sums, states, packed.state_words, weights);
    Sums<A, ROWS> added;  // in memory, row by row, so that `sums` never are
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        UNROLLED
        for (int gate = 0; gate < gates; ++gate) added[row][gate] = sums[row][gate];
    }
    if (packed.half_start) finish<A, true, ROWS>(added, packed, block, rows);
    else finish<A, false, ROWS>(added, packed, block, rows);
}

// The product of a table's row with W, and the biases, for `step` to start from; always added up in float32.
template <bool HALF, int ROWS>
void fold(const PackedWeights& packed, int block, const Row* rows) {
    const int lane = block * gates * Lanes::width;
    const char* inputs[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) inputs[row] = rows[row].input;
    Sums<Float32, ROWS> sums;
    start<Float32, false, ROWS>(sums, packed, lane, rows);
    accumulate<Float32, ROWS>(sums, inputs, packed.input_words, packed.weights + block * packed.block_bytes);
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        UNROLLED
        for (int gate = 0; gate < gates; ++gate) {
            const int at = lane + gate * Lanes::width;
            if constexpr (HALF)
                Lanes::store_half(reinterpret_cast<std::uint16_t*>(rows[row].next) + at, sums[row][gate]);
            else Lanes::store(reinterpret_cast<float*>(rows[row].next) + at, sums[row][gate]);
        }
    }
}

// The arithmetic of `accumulate` without loading anything: its limit of speed.
template <class A>
void peak(std::int64_t rounds, float* sink) {
    constexpr int rows = Lanes::rows;
    typename A::Sum sums[rows][gates];
    UNROLLED
    for (int row = 0; row < rows; ++row) {  // of unknown numbers, or all sums would be one
        UNROLLED
        for (int gate = 0; gate < gates; ++gate)
            std::memcpy(&sums[row][gate], sink + (row * gates + gate) * Lanes::width, sizeof sums[row][gate]);
    }
    const typename A::Word number = A::load(reinterpret_cast<const char*>(sink)), weight = number;
    for (std::int64_t round = 0; round < rounds; ++round) {
        asm volatile("" : "+m"(*sink));  // or all rounds would be one
        UNROLLED
        for (int row = 0; row < rows; ++row) {
            UNROLLED
            for (int gate = 0; gate < gates; ++gate) A::dot(sums[row][gate], number, weight);
        }
    }
    UNROLLED
    for (int row = 0; row < rows; ++row) {  // each by itself: a copy of all at once would keep them in memory
        UNROLLED
        for (int gate = 0; gate < gates; ++gate)
            std::memcpy(sink + (row * gates + gate) * Lanes::width, &sums[row][gate], sizeof sums[row][gate]);
    }
}
