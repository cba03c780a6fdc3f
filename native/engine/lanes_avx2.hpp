// Float32 lanes in a ymm register. Included inside the unnamed namespace of a level's file.

/// AVX2's registers, and the operations on them that all arithmetics are made of.
struct Lanes {
    using Float = __m256;
    using Words = __m256i;
    static constexpr int width = 8;
    static constexpr int rows = 3;  // 12 sums, 1 weight, 3 numbers: of 16 registers
    static constexpr bool by_lane = false;
    static constexpr int int8_offset = 128;

    static Float load(const float* at) { return _mm256_loadu_ps(at); }
    static void store(float* at, Float x) { _mm256_storeu_ps(at, x); }
    static Float all(float x) { return _mm256_set1_ps(x); }
    static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
    static Float subtract(Float a, Float b) { return _mm256_sub_ps(a, b); }
    static Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
    static Float divide(Float a, Float b) { return _mm256_div_ps(a, b); }
    static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
    static Float larger(Float a, Float b) { return _mm256_max_ps(a, b); }
    static Float smaller(Float a, Float b) { return _mm256_min_ps(a, b); }

    static Words words(Float x) { return _mm256_castps_si256(x); }
    static Float floats(Words x) { return _mm256_castsi256_ps(x); }
    static Words load_words(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
    static Words all_words(std::int32_t x) { return _mm256_set1_epi32(x); }
    static Words add_words(Words a, Words b) { return _mm256_add_epi32(a, b); }
    template <int BITS>
    static Words shifted_left(Words x) {
        return _mm256_slli_epi32(x, BITS);
    }
    template <int BITS>
    static Words shifted_right(Words x) {
        return _mm256_srli_epi32(x, BITS);
    }
    static Words both(Words a, Words b) { return _mm256_and_si256(a, b); }
    static Float converted(Words x) { return _mm256_cvtepi32_ps(x); }

    // Nothing to keep weights in: sums and numbers take all registers but one.
    template <class Word, int GATES>
    static void keep(Word (&)[GATES]) {}

    static Float load_half(const std::uint16_t* at) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    }
    static void store_half(std::uint16_t* at, Float x) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
    }
    // The low 16, then the low 8 bits of each word.
    static void store_16(void* at, Words x) { _mm_storeu_si128(static_cast<__m128i*>(at), low_halves(x)); }
    static void store_8(void* at, Words x) {
        const __m128i halves = low_halves(both(x, all_words(0xff)));
        _mm_storel_epi64(static_cast<__m128i*>(at), _mm_packus_epi16(halves, halves));
    }
    static __m128i low_halves(Words x) {
        const Words low = both(x, all_words(0xffff));  // or the packing would saturate
        return _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    }

    // `sum` + u8 · s8 of four bytes in each word; widened first, since a saturating vpmaddubsw would not be exact.
    static Words dot_bytes(Words sum, Words u8, Words s8) {
        const Words low_bytes = _mm256_set1_epi16(0xff);
        const Words even = _mm256_madd_epi16(both(u8, low_bytes), _mm256_srai_epi16(_mm256_slli_epi16(s8, 8), 8));
        const Words odd = _mm256_madd_epi16(_mm256_srli_epi16(u8, 8), _mm256_srai_epi16(s8, 8));
        return add_words(sum, add_words(even, odd));
    }
};
