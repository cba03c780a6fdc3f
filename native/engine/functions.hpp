// Every tile that a level has, by rows. Included last in a level's file.

template <class A>
struct LstmStep {
    template <int ROWS>
    static constexpr Tile of = step<A, ROWS>;
};
template <class A>
struct GruStep {
    template <int ROWS>
    static constexpr Tile of = gru<A, ROWS>;
};
template <class A>
struct GruResetBeforeStep {
    template <int ROWS>
    static constexpr Tile of = gru_reset_before<A, ROWS>;
};
template <class A>
struct GruCandidate {
    template <int ROWS>
    static constexpr Tile of = gru_candidate<A, ROWS>;
};
template <bool HALF>
struct Fold {
    template <int ROWS>
    static constexpr Tile of = fold<HALF, ROWS>;
};

template <class Kind>
constexpr Tiles by_rows(Tile wide = nullptr) {
    Tiles made{{Kind::template of<1>, Kind::template of<2>, Kind::template of<3>}, wide};
    if constexpr (Lanes::rows == 6)
        made.of[3] = Kind::template of<4>, made.of[4] = Kind::template of<5>, made.of[5] = Kind::template of<6>;
    return made;
}

template <class A>
constexpr CellTiles cell_tiles() {
    return {{by_rows<LstmStep<A>>(wide_step<A>), by_rows<GruStep<A>>(), by_rows<GruResetBeforeStep<A>>()},
            by_rows<GruCandidate<A>>()};
}

constexpr Level level_named(const char* name) {
    return {name,
            Lanes::width,
            Lanes::rows,
            wide_blocks,
            {cell_tiles<Float32>(), cell_tiles<Bf16>(), cell_tiles<Int8>()},
            {by_rows<Fold<false>>(), by_rows<Fold<true>>()},
            numbers,
            {peak<Float32>, peak<Bf16>, peak<Int8>},
            Lanes::int8_offset};
}
