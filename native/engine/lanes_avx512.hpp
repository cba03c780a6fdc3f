// Float32 lanes in a zmm register. Included inside the unnamed namespace of a level's file.

/// AVX-512's registers, and the operations on them that all arithmetics are made of.
struct Lanes {
    using Float = __m512;
    using Words = __m512i;
    static constexpr int width = 16;
    static constexpr int rows = 6;  // 24 sums, 4 weights, 1 number: of 32 registers
    static constexpr bool by_lane = false;
    static constexpr int int8_offset = 128;

    static Float load(const float* at) { return _mm512_loadu_ps(at); }
    static void store(float* at, Float x) { _mm512_storeu_ps(at, x); }
    static Float all(float x) { return _mm512_set1_ps(x); }
    static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
    static Float subtract(Float a, Float b) { return _mm512_sub_ps(a, b); }
    static Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
    static Float divide(Float a, Float b) { return _mm512_div_ps(a, b); }
    static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
    static Float larger(Float a, Float b) { return _mm512_max_ps(a, b); }
    static Float smaller(Float a, Float b) { return _mm512_min_ps(a, b); }

    static Words words(Float x) { return _mm512_castps_si512(x); }
    static Float floats(Words x) { return _mm512_castsi512_ps(x); }
    static Words load_words(const void* at) { return _mm512_loadu_si512(at); }
    static Words all_words(std::int32_t x) { return _mm512_set1_epi32(x); }
    static Words add_words(Words a, Words b) { return _mm512_add_epi32(a, b); }
    template <int BITS>
    static Words shifted_left(Words x) {
        return _mm512_slli_epi32(x, BITS);
    }
    template <int BITS>
    static Words shifted_right(Words x) {
        return _mm512_srli_epi32(x, BITS);
    }
    static Words both(Words a, Words b) { return _mm512_and_si512(a, b); }
    static Float converted(Words x) { return _mm512_cvtepi32_ps(x); }

    // Keeps weights in registers: in tiles of two and three rows GCC 12 would load them anew for each row, and loads,
    // of which a cycle has two, then take longer than products.
    template <class Word>
    static void keep(Word (&weights)[4]) {
        asm("" : "+v"(weights[0]), "+v"(weights[1]), "+v"(weights[2]), "+v"(weights[3]));
    }
    template <class Word>
    static void keep(Word (&weights)[3]) {
        asm("" : "+v"(weights[0]), "+v"(weights[1]), "+v"(weights[2]));
    }
    template <class Word>
    static void keep(Word (&weights)[2]) {
        asm("" : "+v"(weights[0]), "+v"(weights[1]));
    }
    template <class Word>
    static void keep(Word (&)[1]) {}

    static Float load_half(const std::uint16_t* at) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    }
    static void store_half(std::uint16_t* at, Float x) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
    }
    // The low 16, then the low 8 bits of each word.
    static void store_16(void* at, Words x) {
        _mm256_storeu_si256(static_cast<__m256i*>(at), _mm512_cvtepi32_epi16(x));
    }
    static void store_8(void* at, Words x) { _mm_storeu_si128(static_cast<__m128i*>(at), _mm512_cvtepi32_epi8(x)); }

    // `sum` + u8 · s8 of four bytes in each word; widened first, since a saturating vpmaddubsw would not be exact.
    static Words dot_bytes(Words sum, Words u8, Words s8) {
        const Words low_bytes = _mm512_set1_epi16(0xff);
        const Words even = _mm512_madd_epi16(both(u8, low_bytes), _mm512_srai_epi16(_mm512_slli_epi16(s8, 8), 8));
        const Words odd = _mm512_madd_epi16(_mm512_srli_epi16(u8, 8), _mm512_srai_epi16(s8, 8));
        return add_words(sum, add_words(even, odd));
    }
};
