// Four float32 lanes, as GCC's and Clang's vectors have them on any processor. Included inside the unnamed namespace of
// a level's file.

/// Vectors that any compiler translates, and the operations on them that all arithmetics are made of.
struct Lanes {
    typedef float Float __attribute__((vector_size(16)));
    typedef std::int32_t Words __attribute__((vector_size(16)));
    static constexpr int width = 4;
#if defined(__aarch64__)
    static constexpr int rows = 6;  // 24 sums, 4 weights, 1 number: of 32 registers
#else
    static constexpr int rows = 3;
#endif
    static constexpr bool by_lane = false;
    static constexpr int int8_offset = 128;

    template <class To, class From>
    static To copied(const From& from) {
        static_assert(sizeof(To) == sizeof(From));
        To to;
        std::memcpy(&to, &from, sizeof to);
        return to;
    }
    static Float load(const float* at) { return load_as<Float>(at); }
    static void store(float* at, Float x) { std::memcpy(at, &x, sizeof x); }
    static Float all(float x) { return Float{x, x, x, x}; }
    static Float add(Float a, Float b) { return a + b; }
    static Float subtract(Float a, Float b) { return a - b; }
    static Float multiply(Float a, Float b) { return a * b; }
    static Float divide(Float a, Float b) { return a / b; }
    static Float fma(Float a, Float b, Float c) {
#if defined(__FP_FAST_FMAF)  // the processor has it, so the bits are the other levels' bits
        return Float{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]),
                     __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
#else
        return a * b + c;
#endif
    }
    // As x86 has them: the second where either is no number.
    static Float larger(Float a, Float b) { return a > b ? a : b; }
    static Float smaller(Float a, Float b) { return a < b ? a : b; }

    static Words words(Float x) { return copied<Words>(x); }
    static Float floats(Words x) { return copied<Float>(x); }
    static Words load_words(const void* at) { return load_as<Words>(at); }
    static Words all_words(std::int32_t x) { return Words{x, x, x, x}; }
    static Words add_words(Words a, Words b) { return wrapped(unsigned_of(a) + unsigned_of(b)); }
    template <int BITS>
    static Words shifted_left(Words x) {
        return wrapped(unsigned_of(x) << BITS);
    }
    template <int BITS>
    static Words shifted_right(Words x) {
        return wrapped(unsigned_of(x) >> BITS);
    }
    static Words both(Words a, Words b) { return a & b; }
    static Float converted(Words x) { return __builtin_convertvector(x, Float); }

    template <class Word, int GATES>
    static void keep(Word (&)[GATES]) {}  // compilers do so by themselves

    static Float load_half(const std::uint16_t* at) {
        return Float{from_half(at[0]), from_half(at[1]), from_half(at[2]), from_half(at[3])};
    }
    static void store_half(std::uint16_t* at, Float x) {
        for (int lane = 0; lane < width; ++lane) at[lane] = to_half(x[lane]);
    }
    // The low 16, then the low 8 bits of each word.
    static void store_16(void* at, Words x) { store_as<std::uint16_t>(at, x); }
    static void store_8(void* at, Words x) { store_as<std::uint8_t>(at, x); }

    // `sum` + u8 · s8 of four bytes in each word.
    static Words dot_bytes(Words sum, Words u8, Words s8) {
        for (int byte = 0; byte < 4; ++byte) {
            const Words number = (u8 >> (8 * byte)) & 0xff;
            const Words weight = wrapped(unsigned_of(s8) << (24 - 8 * byte)) >> 24;
            sum += number * weight;
        }
        return sum;
    }

private:
    typedef std::uint32_t Unsigned __attribute__((vector_size(16)));  // whose overflow is defined
    static Unsigned unsigned_of(Words x) { return copied<Unsigned>(x); }
    static Words wrapped(Unsigned x) { return copied<Words>(x); }
    template <class As>
    static As load_as(const void* at) {
        As loaded;
        std::memcpy(&loaded, at, sizeof loaded);
        return loaded;
    }
    template <class As>
    static void store_as(void* at, Words x) {
        As narrow[width];
        for (int lane = 0; lane < width; ++lane) narrow[lane] = static_cast<As>(x[lane]);
        std::memcpy(at, narrow, sizeof narrow);
    }
};
