// Computes gates and states from sums. Included after a level's lanes: one formula, the same operations in the same
// order at every level, so that a level changes how many lanes there are, and no bit of any of them.

// 2^x, |x| <= 126. The exponent is added as an integer; 2^r for |r| <= 1/2 is a polynomial, fitted (Remez, relative
// error 9.3e-8, first coefficient 1) and rounded coefficient by coefficient.
ALWAYS_INLINE Lanes::Float power_of_two(Lanes::Float x) {
    using L = Lanes;
    const L::Float rounder = L::all(0x1.8p23f);  // adding it rounds to an integer and leaves that in the low bits
    const L::Float rounded = L::add(x, rounder);
    const L::Float r = L::subtract(x, L::subtract(rounded, rounder));
    L::Float p = L::all(1.326940604e-03f);
    p = L::fma(p, r, L::all(9.671294130e-03f));
    p = L::fma(p, r, L::all(5.550711229e-02f));
    p = L::fma(p, r, L::all(2.402224690e-01f));
    p = L::fma(p, r, L::all(6.931470037e-01f));
    p = L::fma(p, r, L::all(1.0f));
    return L::floats(L::add_words(L::words(p), L::template shifted_left<23>(L::words(rounded))));
}

// exp(factor · x), with the exponent kept within ±20: beyond it a sigmoid is 0 or 1 to 2e-9, and products of three
// such numbers stay finite. What is no number becomes the lower bound.
ALWAYS_INLINE Lanes::Float exp_within(Lanes::Float x, float factor) {
    using L = Lanes;
    constexpr float log2_e = 1.442695041f, bound = 20 * log2_e;
    const L::Float y = L::multiply(x, L::all(factor * log2_e));
    return power_of_two(L::smaller(L::larger(y, L::all(-bound)), L::all(bound)));
}

// With e_i = exp(-i), e_g = exp(-2g) and so on,
//   c' = c·sigmoid(f) + sigmoid(i)·tanh(g) = (c(1+e_i)(1+e_g) + (1-e_g)(1+e_f)) / ((1+e_i)(1+e_g)(1+e_f))
//   h  = sigmoid(o)·tanh(c')               = (1-e_c) / ((1+e_o)(1+e_c)):
// two divisions in place of five. This computes c of a step, which replaces the one before at `cell`; returns 1+e_o.
ALWAYS_INLINE Lanes::Float next_cell(const Lanes::Float (&sums)[gates], float* cell) {
    using L = Lanes;
    const L::Float one = L::all(1.0f);
    const L::Float of_i = L::add(one, exp_within(sums[0], -1));
    const L::Float of_f = L::add(one, exp_within(sums[2], -1));
    const L::Float e_g = exp_within(sums[3], -2);
    const L::Float of_ig = L::multiply(of_i, L::add(one, e_g));
    const L::Float kept = L::multiply(L::load(cell), of_ig);
    L::store(cell, L::divide(L::fma(L::subtract(one, e_g), of_f, kept), L::multiply(of_ig, of_f)));
    return L::add(one, exp_within(sums[1], -1));
}

// The step's h, from its c and 1+e_o.
ALWAYS_INLINE Lanes::Float next_state(const float* cell, Lanes::Float of_o) {
    using L = Lanes;
    const L::Float one = L::all(1.0f);
    const L::Float e_c = exp_within(L::load(cell), -2);
    return L::divide(L::subtract(one, e_c), L::multiply(of_o, L::add(one, e_c)));
}
