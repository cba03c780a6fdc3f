// Tiles of GRUs. Included after an LSTM's, whose parts they use. With e_z = exp(-z), e_r = exp(-r) of the gates' sums, and
// e_n = exp(-2n) of the candidate's,
//   h' = (1-sigmoid(z))·tanh(n) + sigmoid(z)·h = (e_z(1-e_n) + h(1+e_n)) / ((1+e_z)(1+e_n))

constexpr int gru_gates = 3;  // z, r, h

// The step's h, from the gate z, the candidate's sum and the h before, which it replaces at `state`.
ALWAYS_INLINE Lanes::Float next_gru_state(Lanes::Float e_z, Lanes::Float candidate, float* state) {
    using L = Lanes;
    const L::Float one = L::all(1.0f), e_n = exp_within(candidate, -2), of_n = L::add(one, e_n);
    const L::Float kept = L::multiply(L::load(state), of_n);
    const L::Float h = L::divide(L::fma(e_z, L::subtract(one, e_n), kept), L::multiply(L::add(one, e_z), of_n));
    L::store(state, h);
    return h;
}

// Adds the products of inputs, of all three blocks of rows; or takes up what a part before has left.
template <class A, bool HALF, int ROWS>
ALWAYS_INLINE void add_inputs(Sums<A, ROWS, gru_gates>& sums, const PackedWeights& packed, int block, const Row* rows,
                              Part part) {
    const int lane = block * gru_gates * Lanes::width;
    const char* numbers[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        numbers[row] = rows[row].input;
        UNROLLED
        for (int gate = 0; gate < gru_gates; ++gate) {
            if (part.from == 0)
                sums[row][gate] = A::template start<HALF>(packed, rows[row].start, lane + gate * Lanes::width);
            else std::memcpy(&sums[row][gate], rows[row].sums + part.at + gate * gate_bytes, sizeof sums[row][gate]);
        }
    }
    if (part.from == 0)
        accumulate<A, ROWS, gru_gates>(sums, numbers, packed.input_words, packed.weights + block * packed.block_bytes);
}

// In memory, row by row, so that the sums that are added to never are.
template <class A, int ROWS, int GATES>
ALWAYS_INLINE void copy(Sums<A, ROWS, GATES>& to, const Sums<A, ROWS, GATES>& from) {
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        UNROLLED
        for (int gate = 0; gate < GATES; ++gate) to[row][gate] = from[row][gate];
    }
}

// Whether the part ends with the inputs, of which it then leaves the sums.
template <class A, int ROWS>
ALWAYS_INLINE bool leave_inputs(const Sums<A, ROWS, gru_gates>& sums, const PackedWeights& packed, const Row* rows,
                                Part part) {
    if (part.to == packed.words()) return false;
    Sums<A, ROWS, gru_gates> left;
    copy<A, ROWS, gru_gates>(left, sums);
    UNROLLED
    for (int row = 0; row < ROWS; ++row) std::memcpy(rows[row].sums + part.at, left[row], sizeof left[row]);
    return true;
}

// Where a block's weights of states begin, behind those of inputs.
template <int GATES>
ALWAYS_INLINE const char* states_of(const PackedWeights& packed, int block) {
    return packed.weights + block * packed.block_bytes + packed.input_words * GATES * gate_bytes;
}

// The candidate's sum of its inputs, which the reset gate leaves as it is: what a tile added, or the table's.
template <class A, bool HALF>
ALWAYS_INLINE Lanes::Float of_inputs(const PackedWeights& packed, const Row& row, int lane, typename A::Sum added) {
    if (packed.input_words > 0) return A::template finish<HALF>(packed, row.start, lane, added);
    return load_start<HALF>(row.start, lane);
}

// A step of a GRU that resets what the recurrent weights give: h is sums of inputs, and r times sums of states.
template <class A, bool HALF, int ROWS>
ALWAYS_INLINE void gru_step(const PackedWeights& packed, int block, const Row* rows, Part part) {
    using L = Lanes;
    const int unit = block * L::width, lane = gru_gates * unit;
    Sums<A, ROWS, gru_gates> sums, added;
    add_inputs<A, HALF, ROWS>(sums, packed, block, rows, part);
    if (leave_inputs<A, ROWS>(sums, packed, rows, part)) return;
    typename A::Sum inputs[ROWS];  // the candidate's, in memory meanwhile
    const char* numbers[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        inputs[row] = sums[row][2], sums[row][2] = A::start_inner(packed, unit);
        numbers[row] = rows[row].state;
    }
    accumulate<A, ROWS, gru_gates>(sums, numbers, packed.state_words, states_of<gru_gates>(packed, block));
    copy<A, ROWS, gru_gates>(added, sums);
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        const Row& of = rows[row];
        const L::Float e_z = exp_within(A::template finish<HALF>(packed, of.start, lane, added[row][0]), -1);
        const L::Float r = A::template finish<HALF>(packed, of.start, lane + L::width, added[row][1]);
        const L::Float inner = A::finish_inner(packed, lane + 2 * L::width, unit, added[row][2]);
        const L::Float reset = L::divide(inner, L::add(L::all(1.0f), exp_within(r, -1)));
        const L::Float input = of_inputs<A, HALF>(packed, of, lane + 2 * L::width, inputs[row]);
        const L::Float h = next_gru_state(e_z, L::add(input, reset), of.cell + unit);
        A::store(packed, of.next, unit, h);
        if (of.pooled) pool(of, unit, h);
    }
}

// The gates of a GRU that resets its state before the recurrent weights multiply it; `gru_candidate` ends the step. Of
// states there are weights for two blocks of rows.
template <class A, bool HALF, int ROWS>
ALWAYS_INLINE void gru_gates_step(const PackedWeights& packed, int block, const Row* rows, Part part) {
    using L = Lanes;
    const int unit = block * L::width, lane = gru_gates * unit;
    Sums<A, ROWS, gru_gates> of_inputs_alone;
    add_inputs<A, HALF, ROWS>(of_inputs_alone, packed, block, rows, part);
    if (leave_inputs<A, ROWS>(of_inputs_alone, packed, rows, part)) return;
    Sums<A, ROWS, 2> sums, added;
    const char* numbers[ROWS];
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        sums[row][0] = of_inputs_alone[row][0], sums[row][1] = of_inputs_alone[row][1];
        numbers[row] = rows[row].state;
    }
    accumulate<A, ROWS, 2>(sums, numbers, packed.state_words, states_of<gru_gates>(packed, block));
    copy<A, ROWS, 2>(added, sums);
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        const Row& of = rows[row];
        const L::Float z = A::template finish<HALF>(packed, of.start, lane, added[row][0]);
        const L::Float r = A::template finish<HALF>(packed, of.start, lane + L::width, added[row][1]);
        L::store(of.update + unit, exp_within(z, -1));
        L::store(of.candidate + unit, of_inputs<A, HALF>(packed, of, lane + 2 * L::width, of_inputs_alone[row][2]));
        const L::Float of_r = L::add(L::all(1.0f), exp_within(r, -1));
        A::store(packed, of.reset, unit, L::divide(L::load(of.cell + unit), of_r));
    }
}

// What is left of such a step, from r·h, z and the candidate's sum of inputs. The weights are one block of rows'.
template <class A, int ROWS>
void gru_candidate(const PackedWeights& packed, int block, const Row* rows, Part) {
    using L = Lanes;
    const int unit = block * L::width;
    const char* numbers[ROWS];
    Sums<A, ROWS, 1> sums, added;
    UNROLLED
    for (int row = 0; row < ROWS; ++row) sums[row][0] = A::start_inner(packed, unit), numbers[row] = rows[row].reset;
    accumulate<A, ROWS, 1>(sums, numbers, packed.state_words, packed.weights + block * packed.block_bytes);
    copy<A, ROWS, 1>(added, sums);
    UNROLLED
    for (int row = 0; row < ROWS; ++row) {
        const Row& of = rows[row];
        const L::Float inner = A::finish_inner(packed, unit, unit, added[row][0]);
        const L::Float candidate = L::add(L::load(of.candidate + unit), inner);
        const L::Float h = next_gru_state(L::load(of.update + unit), candidate, of.cell + unit);
        A::store(packed, of.next, unit, h);
        if (of.pooled) pool(of, unit, h);
    }
}

template <class A, int ROWS>
void gru(const PackedWeights& packed, int block, const Row* rows, Part part) {
    if (packed.half_start) gru_step<A, true, ROWS>(packed, block, rows, part);
    else gru_step<A, false, ROWS>(packed, block, rows, part);
}

template <class A, int ROWS>
void gru_reset_before(const PackedWeights& packed, int block, const Row* rows, Part part) {
    if (packed.half_start) gru_gates_step<A, true, ROWS>(packed, block, rows, part);
    else gru_gates_step<A, false, ROWS>(packed, block, rows, part);
}
