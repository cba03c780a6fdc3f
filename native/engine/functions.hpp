// Every tile that a level has, by rows. Included last in a level's file.

template <class A>
constexpr Tiles steps() {
    Tiles made{{step<A, 1>, step<A, 2>, step<A, 3>}, wide_step<A>};
    if constexpr (Lanes::rows == 6) made.of[3] = step<A, 4>, made.of[4] = step<A, 5>, made.of[5] = step<A, 6>;
    return made;
}

template <bool HALF>
constexpr Tiles folds() {
    Tiles made{{fold<HALF, 1>, fold<HALF, 2>, fold<HALF, 3>}, nullptr};
    if constexpr (Lanes::rows == 6) made.of[3] = fold<HALF, 4>, made.of[4] = fold<HALF, 5>, made.of[5] = fold<HALF, 6>;
    return made;
}

constexpr Level level_named(const char* name) {
    return {name,
            Lanes::width,
            Lanes::rows,
            wide_blocks,
            {steps<Float32>(), steps<Bf16>(), steps<Int8>()},
            {folds<false>(), folds<true>()},
            {peak<Float32>, peak<Bf16>, peak<Int8>},
            Lanes::int8_offset};
}
