// The arithmetic of each precision: how it holds numbers and adds products of them. Included after a level's lanes.
// An arithmetic says how a sum begins (`start`), how a word of numbers times a word of weights is added to it (`dot`),
// what it is worth in the end (`finish`), and how h is held (`store`); `start_inner` and `finish_inner` are of the sums
// that a GRU's candidate adds of the state by themselves. One that is `by_lane` also multiplies a word of
// weights by one lane of a register with words of numbers (`dot_lane`).

template <bool HALF>
ALWAYS_INLINE Lanes::Float load_start(const char* start, int lane) {
    if constexpr (HALF) return Lanes::load_half(reinterpret_cast<const std::uint16_t*>(start) + lane);
    return Lanes::load(reinterpret_cast<const float*>(start) + lane);
}

ALWAYS_INLINE Lanes::Words all_words(const char* at) {
    std::int32_t word;
    std::memcpy(&word, at, sizeof word);
    return Lanes::all_words(word);
}

/// Weights, states and sums in float32, one number to a word.
struct Float32 {
    using Sum = Lanes::Float;
    using Word = Lanes::Float;
    static constexpr int numbers = 1;  // in a word
    static constexpr bool by_lane = Lanes::by_lane;
    static Word load(const char* at) { return Lanes::load(reinterpret_cast<const float*>(at)); }
    static Word all(const char* at) { return Lanes::all(*reinterpret_cast<const float*>(at)); }
    template <bool HALF>
    static Sum start(const PackedWeights&, const char* row, int lane) {
        return load_start<HALF>(row, lane);
    }
    static Sum start_inner(const PackedWeights& packed, int unit) { return Lanes::load(packed.inner_bias + unit); }
    static void dot(Sum& sum, Word number, Word weight) { sum = Lanes::fma(number, weight, sum); }
    template <int LANE, class L = Lanes>  // not every level's lanes have it
    static void dot_lane(Sum& sum, Word word, Word weight) {
        sum = L::template fma_lane<LANE>(word, weight, sum);
    }
    template <bool HALF>
    static Lanes::Float finish(const PackedWeights&, const char*, int, Sum sum) {
        return sum;
    }
    static Lanes::Float finish_inner(const PackedWeights&, int, int, Sum sum) { return sum; }
    static void store(const PackedWeights&, char* next, int unit, Lanes::Float h) {
        Lanes::store(reinterpret_cast<float*>(next) + unit, h);
    }
};

/// Weights and states rounded to bfloat16, two to a word; sums in float32. Widening is a shift: this runs anywhere.
struct Bf16 {
    using Sum = Lanes::Float;
    using Word = Lanes::Words;
    static constexpr int numbers = 2;
    static constexpr bool by_lane = false;
    static Word load(const char* at) { return Lanes::load_words(at); }
    static Word all(const char* at) { return all_words(at); }
    template <bool HALF>
    static Sum start(const PackedWeights&, const char* row, int lane) {
        return load_start<HALF>(row, lane);
    }
    static Sum start_inner(const PackedWeights& packed, int unit) { return Lanes::load(packed.inner_bias + unit); }
    static void dot(Sum& sum, Word number, Word weight) {
        sum = Lanes::fma(second(number), second(weight), sum);
        sum = Lanes::fma(first(number), first(weight), sum);
    }
    template <bool HALF>
    static Lanes::Float finish(const PackedWeights&, const char*, int, Sum sum) {
        return sum;
    }
    static Lanes::Float finish_inner(const PackedWeights&, int, int, Sum sum) { return sum; }
    static void store(const PackedWeights&, char* next, int unit, Lanes::Float h) {
        const Lanes::Words bits = Lanes::words(h);
        const Lanes::Words odd = Lanes::both(Lanes::shifted_right<16>(bits), Lanes::all_words(1));  // ties to even
        const Lanes::Words raised = Lanes::add_words(bits, Lanes::add_words(odd, Lanes::all_words(0x7fff)));
        Lanes::store_16(next + 2 * unit, Lanes::shifted_right<16>(raised));
    }

private:
    static Lanes::Float first(Word word) { return Lanes::floats(Lanes::shifted_left<16>(word)); }
    static Lanes::Float second(Word word) {
        return Lanes::floats(Lanes::both(word, Lanes::all_words(std::int32_t(0xffff0000))));
    }
};

/// Weights as int8, each row of them in steps of its own; states as 127·h, since |h| <= 1: a scale that no batch
/// changes. (Learned initial states may be larger: then 127 stands for the largest, which no later state exceeds.) x86 multiplies unsigned bytes with signed ones, so states are 128 more there, which `correction` takes from
/// their sums again. Four to a word, and sums of integers: exact, so each processor finds the same.
struct Int8 {
    using Sum = Lanes::Words;
    using Word = Lanes::Words;
    static constexpr int numbers = 4;
    static constexpr bool by_lane = false;
    static Word load(const char* at) { return Lanes::load_words(at); }
    static Word all(const char* at) { return all_words(at); }
    template <bool HALF>
    static Sum start(const PackedWeights& packed, const char*, int lane) {
        return Lanes::load_words(packed.correction + lane);
    }
    static Sum start_inner(const PackedWeights& packed, int unit) {
        return Lanes::load_words(packed.inner_correction + unit);
    }
    static void dot(Sum& sum, Word number, Word weight) { sum = Lanes::dot_bytes(sum, number, weight); }
    template <bool HALF>
    static Lanes::Float finish(const PackedWeights& packed, const char* row, int lane, Sum sum) {
        return Lanes::fma(Lanes::converted(sum), Lanes::load(packed.scale + lane), load_start<HALF>(row, lane));
    }
    // `lane` is the candidate's, whose scale it is.
    static Lanes::Float finish_inner(const PackedWeights& packed, int lane, int unit, Sum sum) {
        return Lanes::fma(Lanes::converted(sum), Lanes::load(packed.scale + lane),
                          Lanes::load(packed.inner_bias + unit));
    }
    static void store(const PackedWeights& packed, char* next, int unit, Lanes::Float h) {
        const Lanes::Float scaled = Lanes::multiply(h, Lanes::all(packed.state_steps));
        const Lanes::Words rounded = Lanes::words(Lanes::add(scaled, Lanes::all(0x1.8p23f)));  // an integer, low
        Lanes::store_8(next + unit, Lanes::add_words(rounded, Lanes::all_words(Lanes::int8_offset)));
    }
};
