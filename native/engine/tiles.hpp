// What a tile reads and writes: the interface between code compiled for one processor and code compiled for all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bothends {

/// Number format of weights and states.
enum class Precision { float32, bf16, int8 };
constexpr int precisions = 3;
constexpr int gates = 4;               // i, o, f, c, as ONNX stacks them
constexpr int max_rows = 6;           // of a tile, at any level
constexpr std::size_t alignment = 64;  // of everything that is loaded as lanes

/// Packed weights of one direction of one layer. A "word" is 32 bits: one float32, two bf16 or four int8 of one weight
/// row, so that a tile's inner loop is the same at each precision. Tile order is [block of `width` units][gate][unit].
struct PackedWeights {
    const char* weights;             // words [block][input words, then state words][gate][unit]
    const float* bias;               // tile order; W's and R's, added
    const float* scale;              // int8 only, tile order: what a sum of integers is worth
    const std::int32_t* correction;  // int8 only, tile order: -`int8_offset` times the sum of a weight row
    std::ptrdiff_t block_bytes;      // of `weights`
    int blocks;
    int input_words;  // 0 where `Row::start` holds the input's product already
    int state_words;
    int words() const { return input_words + state_words; }
    bool half_start;  // true if `Row::start` is float16
};

/// One sentence's part of a step.
struct Row {
    const char* input;  // words [input_words]
    const char* state;  // words [state_words]: h, as the precision holds it
    const char* start;  // tile order: the input's product with its bias, or the bias alone
    float* cell;        // float32 [units]: c, read and written
    char* next;         // h of this step, as the precision holds it; of a fold: the row of the table
    float* last;        // float32 [units]: h of this step once more, or nullptr
    char* sums;         // unfinished sums, as the precision adds them up: of a part that ends before the last word
};

/// Words that a tile adds. A part that doesn't begin with the first word goes on from `Row::sums`, and one that doesn't
/// end with the last leaves them there; so a step may be done in parts, and finds the same bits.
struct Part {
    int from, to;
    std::ptrdiff_t at;  // where in `Row::sums` those of the block are, in bytes
};

// Does `block` of the units for as many rows as the function was made for.
using Tile = void (*)(const PackedWeights&, int block, const Row* rows, Part part);

/// Functions of one precision: one for each number of rows, and one for several blocks of a single row.
struct Tiles {
    Tile of[max_rows];  // by rows - 1
    Tile wide;  // of one row, for `Level::wide_blocks` blocks from `block` on
};

/// The functions of one instruction set.
struct Level {
    const char* name;
    int width;  // units in a block
    int rows;  // most rows of a tile
    int wide_blocks;
    Tiles step[precisions];
    Tiles fold[2];  // to float32, to float16
    // Runs `rounds` of the inner loop on registers alone; each is rows × gates × width × (1, 2 or 4) multiply-adds.
    void (*peak[precisions])(std::int64_t rounds, float* sink);
    int int8_offset;  // an int8 state is this + 127·h
    std::ptrdiff_t sums_bytes() const { return std::ptrdiff_t(gates) * width * 4; }  // of a block and a row
};

}  // namespace bothends
