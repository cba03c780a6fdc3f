// A fused tile: a few rows × one block of units × 4 gates of sums in registers; then gates and states while they are
// there. Included after a level's lanes, gates and arithmetics.

template <class A, int ROWS, int GATES = gates>
using Sums = typename A::Sum[ROWS][GATES];

// The weights of one word: of one gate, and of an LSTM's.
constexpr std::ptrdiff_t gate_bytes = 4 * Lanes::width, word_bytes = gates * gate_bytes;
constexpr int wide_blocks = Lanes::rows == 6 ? 4 : 2;

// Adds the products of the words in one lane of each row's numbers.
template <class A, int LANE, int ROWS, int GATES>
ALWAYS_INLINE void add_lane(Sums<A, ROWS, GATES>& sums, const typename A::Word (&numbers)[ROWS], const char* weights) {
    UNROLLED
    for (int pair = 0; pair < GATES; pair += 2) {
        const bool is_whole = pair + 1 < GATES;
        asm volatile("" ::: "memory");  // or GCC would load weights of more gates than it has registers for
        const typename A::Word weight[2] = {A::load(weights + pair * gate_bytes),
                                            A::load(weights + (pair + is_whole) * gate_bytes)};
        UNROLLED
        for (int row = 0; row < ROWS; ++row) A::template dot_lane<LANE>(sums[row][pair], numbers[row], weight[0]);
        if (!is_whole) break;
        UNROLLED
        for (int row = 0; row < ROWS; ++row) A::template dot_lane<LANE>(sums[row][pair + 1], numbers[row], weight[1]);
    }
}

// Adds the products of four words of each row, which are loaded at once; in the order in which they stand, as always.
template <class A, int ROWS, int GATES>
ALWAYS_INLINE void add_four(Sums<A, ROWS, GATES>& sums, const char* const (&numbers)[ROWS], std::ptrdiff_t at,
                            const char* weights) {
    typename A::Word four[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) four[row] = A::load(numbers[row] + at);
    constexpr std::ptrdiff_t of_word = GATES * gate_bytes;
    add_lane<A, 0, ROWS, GATES>(sums, four, weights);
    add_lane<A, 1, ROWS, GATES>(sums, four, weights + of_word);
    add_lane<A, 2, ROWS, GATES>(sums, four, weights + 2 * of_word);
    add_lane<A, 3, ROWS, GATES>(sums, four, weights + 3 * of_word);
}

// Adds the products of `words` words of each row with the weights; returns where the weights go on.
template <class A, int ROWS, int GATES = gates>
ALWAYS_INLINE const char* accumulate(Sums<A, ROWS, GATES>& sums, const char* const (&numbers)[ROWS], int words,
                                     const char* weights) {
    constexpr std::ptrdiff_t of_word = GATES * gate_bytes;
    const std::ptrdiff_t end = 4 * std::ptrdiff_t{words};
    std::ptrdiff_t at = 0;
    if constexpr (A::by_lane) {
        for (; at + 16 <= end; at += 16, weights += 4 * of_word) add_four<A, ROWS, GATES>(sums, numbers, at, weights);
    }
    for (; at < end; at += 4, weights += of_word) {
        typename A::Word weight[GATES];
        UNROLLED
        for (int gate = 0; gate < GATES; ++gate) weight[gate] = A::load(weights + gate * gate_bytes);
        if constexpr (ROWS > 1) Lanes::keep(weight);
        UNROLLED
        for (int row = 0; row < ROWS; ++row) {
            const typename A::Word number = A::all(numbers[row] + at);
            UNROLLED
            for (int gate = 0; gate < GATES; ++gate) A::dot(sums[row][gate], number, weight[gate]);
        }
    }
    return weights;
}

// The same of one row and several blocks, whose weights are `block_bytes` apart: memory gives more of several streams.
template <class A>
ALWAYS_INLINE const char* accumulate_wide(Sums<A, wide_blocks>& sums, const char* numbers, int words,
                                          const char* weights, std::ptrdiff_t block_bytes) {
    for (const char* const end = numbers + 4 * std::ptrdiff_t{words}; numbers < end; numbers += 4) {
        const typename A::Word number = A::all(numbers);
        UNROLLED
        for (int block = 0; block < wide_blocks; ++block) {
            UNROLLED
            for (int gate = 0; gate < gates; ++gate)
                A::dot(sums[block][gate], number, A::load(weights + block * block_bytes + gate * gate_bytes));
        }
        weights += word_bytes;
    }
    return weights;
}

// Which row, and which block, sums number `index` are of: a tile has one block of several rows, or several of one.
template <int BLOCKS>
constexpr int row_of(int index) {
    return BLOCKS == 1 ? index : 0;
}
template <int BLOCKS>
constexpr int block_of(int index) {
    return BLOCKS == 1 ? 0 : index;
}

template <class A, bool HALF, int COUNT, int BLOCKS = 1>
ALWAYS_INLINE void start(Sums<A, COUNT>& sums, const PackedWeights& packed, int lane, const Row* rows) {
    UNROLLED
    for (int index = 0; index < COUNT; ++index) {
        UNROLLED
        for (int gate = 0; gate < gates; ++gate)
            sums[index][gate] =
                A::template start<HALF>(packed, rows[row_of<BLOCKS>(index)].start,
                                        lane + block_of<BLOCKS>(index) * gates * Lanes::width + gate * Lanes::width);
    }
}

// Sums as a part begins with them: what the words before it left, or what every step starts from.
template <class A, int COUNT, int BLOCKS>
ALWAYS_INLINE void begin(Sums<A, COUNT>& sums, const PackedWeights& packed, int lane, const Row* rows, Part part) {
    if (part.from == 0) {
        if (packed.half_start) start<A, true, COUNT, BLOCKS>(sums, packed, lane, rows);
        else start<A, false, COUNT, BLOCKS>(sums, packed, lane, rows);
        return;
    }
    UNROLLED
    for (int index = 0; index < COUNT; ++index) {
        const char* const from = rows[row_of<BLOCKS>(index)].sums + part.at + block_of<BLOCKS>(index) * word_bytes;
        UNROLLED
        for (int gate = 0; gate < gates; ++gate)
            std::memcpy(&sums[index][gate], from + gate * gate_bytes, sizeof sums[index][gate]);
    }
}

// Leaves sums as they are for the next part.
template <class A, int COUNT, int BLOCKS>
ALWAYS_INLINE void leave(const Sums<A, COUNT>& sums, const Row* rows, Part part) {
    UNROLLED
    for (int index = 0; index < COUNT; ++index)
        std::memcpy(rows[row_of<BLOCKS>(index)].sums + part.at + block_of<BLOCKS>(index) * word_bytes, sums[index],
                    sizeof sums[index]);
}

template <class A, bool HALF, int COUNT, int BLOCKS>
ALWAYS_INLINE void finish(const Sums<A, COUNT>& sums, const PackedWeights& packed, int first, const Row* rows) {
    // A row's cell, then its state, is one long chain of operations that wait for each other: all cells go first, so
    // that rows fill each other's waits, and are unrolled, so that as many as the processor can look ahead do.
    Lanes::Float of_o[COUNT];
    UNROLLED
    for (int index = 0; index < COUNT; ++index) {
        const Row& row = rows[row_of<BLOCKS>(index)];
        const int unit = (first + block_of<BLOCKS>(index)) * Lanes::width, lane = gates * unit;
        Lanes::Float worth[gates];
        UNROLLED
        for (int gate = 0; gate < gates; ++gate)
            worth[gate] = A::template finish<HALF>(packed, row.start, lane + gate * Lanes::width, sums[index][gate]);
        of_o[index] = next_cell(worth, row.cell + unit);
    }
    UNROLLED
    for (int index = 0; index < COUNT; ++index) {
        const Row& row = rows[row_of<BLOCKS>(index)];
        const int unit = (first + block_of<BLOCKS>(index)) * Lanes::width;
        const Lanes::Float h = next_state(row.cell + unit, of_o[index]);
        A::store(packed, row.next, unit, h);
        if (row.pooled) pool(row, unit, h);
    }
}

// Words of a part: so many inputs, then states.
struct Span {
    int input, inputs, state, states;
};

ALWAYS_INLINE Span words_of(const PackedWeights& packed, Part part) {
    const int border = packed.input_words;
    const int input = part.from < border ? part.from : border, state = part.from - input;
    const int inputs = (part.to < border ? part.to : border) - input;
    return {input, inputs, state, part.to - part.from - inputs};
}

template <class A, int COUNT, int BLOCKS>
ALWAYS_INLINE void end(const Sums<A, COUNT>& sums, const PackedWeights& packed, int block, const Row* rows, Part part) {
    Sums<A, COUNT> added;  // in memory, row by row, so that `sums` never are
    UNROLLED
    for (int index = 0; index < COUNT; ++index) {
        UNROLLED
        for (int gate = 0; gate < gates; ++gate) added[index][gate] = sums[index][gate];
    }
    if (part.to < packed.words()) leave<A, COUNT, BLOCKS>(added, rows, part);
    else if (packed.half_start) finish<A, true, COUNT, BLOCKS>(added, packed, block, rows);
    else finish<A, false, COUNT, BLOCKS>(added, packed, block, rows);
}

template <class A, int ROWS>
void step(const PackedWeights& packed, int block, const Row* rows, Part part) {
    const Span words = words_of(packed, part);
    const char* inputs[ROWS];
    const char* states[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row)
        inputs[row] = rows[row].input + 4 * std::ptrdiff_t{words.input},
        states[row] = rows[row].state + 4 * std::ptrdiff_t{words.state};
    Sums<A, ROWS> sums;
    begin<A, ROWS, 1>(sums, packed, block * gates * Lanes::width, rows, part);
    const char* weights = packed.weights + block * packed.block_bytes + part.from * word_bytes;
    weights = accumulate<A, ROWS>(sums, inputs, words.inputs, weights);
    accumulate<A, ROWS>(sums, states, words.states, weights);
    end<A, ROWS, 1>(sums, packed, block, rows, part);
}

template <class A>
void wide_step(const PackedWeights& packed, int block, const Row* row, Part part) {
    const Span words = words_of(packed, part);
    Sums<A, wide_blocks> sums;
    begin<A, wide_blocks, wide_blocks>(sums, packed, block * gates * Lanes::width, row, part);
    const char* weights = packed.weights + block * packed.block_bytes + part.from * word_bytes;
    weights = accumulate_wide<A>(sums, row->input + 4 * std::ptrdiff_t{words.input}, words.inputs, weights,
                                 packed.block_bytes);
    accumulate_wide<A>(sums, row->state + 4 * std::ptrdiff_t{words.state}, words.states, weights, packed.block_bytes);
    end<A, wide_blocks, wide_blocks>(sums, packed, block, row, part);
}

// The product of a table's row with W, and the biases, for `step` to start from; always added up in float32.
template <bool HALF, int ROWS>
void fold(const PackedWeights& packed, int block, const Row* rows, Part) {
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
