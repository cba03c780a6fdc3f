// Functions of float32 numbers by themselves, for what follows the cells. Included after a level's lanes and gates: the
// same operations in the same order at every level.

// (1 - e^-2x) / (1 + e^-2x)
ALWAYS_INLINE Lanes::Float tanh_of(Lanes::Float x) {
    using L = Lanes;
    const L::Float one = L::all(1.0f), e = exp_within(x, -2);
    return L::divide(L::subtract(one, e), L::add(one, e));
}

inline void tanh_all(float* numbers, int count) {
    for (int at = 0; at < count; at += Lanes::width) Lanes::store(numbers + at, tanh_of(Lanes::load(numbers + at)));
}

inline void exp_below(float* numbers, const float* largest, int count) {
    for (int at = 0; at < count; at += Lanes::width) {
        const Lanes::Float below = Lanes::subtract(Lanes::load(numbers + at), Lanes::load(largest + at));
        Lanes::store(numbers + at, exp_within(below, 1));
    }
}

inline void add_scaled(float* sums, const float* numbers, float factor, int count) {
    const Lanes::Float by = Lanes::all(factor);
    for (int at = 0; at < count; at += Lanes::width)
        Lanes::store(sums + at, Lanes::fma(Lanes::load(numbers + at), by, Lanes::load(sums + at)));
}

constexpr Numbers numbers{tanh_all, exp_below, add_scaled};
