// Four float32 lanes in a NEON register, as every AArch64 processor has them. Included inside the unnamed namespace of
// a level's file.

/// NEON's registers, and the operations on them that all arithmetics are made of.
struct Lanes {
    using Float = float32x4_t;
    using Words = int32x4_t;
    static constexpr int width = 4;
    static constexpr int rows = 6;  // 24 sums, 6 times four numbers, 2 weights: of 32 registers
    static constexpr bool by_lane = true;
    static constexpr int int8_offset = 0;  // NEON multiplies signed bytes with signed ones

    static Float load(const float* at) { return vld1q_f32(at); }
    static void store(float* at, Float x) { vst1q_f32(at, x); }
    static Float all(float x) { return vdupq_n_f32(x); }
    static Float add(Float a, Float b) { return vaddq_f32(a, b); }
    static Float subtract(Float a, Float b) { return vsubq_f32(a, b); }
    static Float multiply(Float a, Float b) { return vmulq_f32(a, b); }
    static Float divide(Float a, Float b) { return vdivq_f32(a, b); }
    static Float fma(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
    template <int LANE>
    static Float fma_lane(Float a, Float b, Float c) {
        // Around the intrinsic GCC 14 copies lanes, for which tiles have no registers.
        asm("fmla %0.4s, %1.4s, %2.s[%c3]" : "+w"(c) : "w"(b), "w"(a), "i"(LANE));
        return c;
    }
    // The second where the first is no number, as x86 has them; the second always is one.
    static Float larger(Float a, Float b) { return vmaxnmq_f32(a, b); }
    static Float smaller(Float a, Float b) { return vminnmq_f32(a, b); }

    static Words words(Float x) { return vreinterpretq_s32_f32(x); }
    static Float floats(Words x) { return vreinterpretq_f32_s32(x); }
    static Words load_words(const void* at) { return vld1q_s32(static_cast<const std::int32_t*>(at)); }
    static Words all_words(std::int32_t x) { return vdupq_n_s32(x); }
    static Words add_words(Words a, Words b) { return vaddq_s32(a, b); }
    template <int BITS>
    static Words shifted_left(Words x) {
        return vshlq_n_s32(x, BITS);
    }
    template <int BITS>
    static Words shifted_right(Words x) {
        return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(x), BITS));
    }
    static Words both(Words a, Words b) { return vandq_s32(a, b); }
    static Float converted(Words x) { return vcvtq_f32_s32(x); }

    template <class Word, int GATES>
    static void keep(Word (&)[GATES]) {}  // no instruction computes with memory

    static Float load_half(const std::uint16_t* at) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at))); }
    static void store_half(std::uint16_t* at, Float x) { vst1_u16(at, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
    // The low 16, then the low 8 bits of each word.
    static void store_16(void* at, Words x) {
        vst1_u16(static_cast<std::uint16_t*>(at), vmovn_u32(vreinterpretq_u32_s32(x)));
    }
    static void store_8(void* at, Words x) {
        const uint16x4_t halves = vmovn_u32(vreinterpretq_u32_s32(x));
        const uint8x8_t bytes = vmovn_u16(vcombine_u16(halves, halves));
        std::memcpy(at, &bytes, width);
    }

    // `sum` + s8 · s8 of four bytes in each word. No byte is -128, so two products fit 16 bits.
    static Words dot_bytes(Words sum, Words a, Words b) {
        const int8x16_t one = vreinterpretq_s8_s32(a), other = vreinterpretq_s8_s32(b);
        const int16x8_t low = vmull_s8(vget_low_s8(one), vget_low_s8(other)), high = vmull_high_s8(one, other);
        return vpadalq_s16(sum, vpaddq_s16(low, high));
    }
};
