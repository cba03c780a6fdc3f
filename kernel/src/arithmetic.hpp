// How each precision holds numbers and adds products of them. Included after a level's lanes.
// An arithmetic says how a sum begins (`start`), how a word of numbers times a word of weights is added to it (`dot`),
// what it is worth in the end (`finish`), and how h is held (`store`).

template <bool HALF>
ALWAYS_INLINE Lanes::Float load_start(const char* start, int lane) {
    if constexpr (HALF) return Lanes::load_half(reinterpret_cast<const std::uint16_t*>(start) + lane);
    return Lanes::load(reinterpret_cast<const float*>(start) + lane);
}

struct Float32 {
    using Sum = Lanes::Float;
    using Word = Lanes::Float;
    static constexpr int numbers = 1;  // in a word
    static Word load(const char* at) { return Lanes::load(reinterpret_cast<const float*>(at)); }
    static Word all(const char* at) { return Lanes::all(*reinterpret_cast<const float*>(at)); }
    template <bool HALF>
    static Sum start(const Cells&, const char* row, int lane) {
        return load_start<HALF>(row, lane);
    }
    static void dot(Sum& sum, Word number, Word weight) { sum = Lanes::fma(number, weight, sum); }
    template <bool HALF>
    static Lanes::Float finish(const Cells&, const char*, int, Sum sum) {
        return sum;
    }
    static void store(char* next, int unit, Lanes::Float h) { Lanes::store(reinterpret_cast<float*>(next) + unit, h); }
};
