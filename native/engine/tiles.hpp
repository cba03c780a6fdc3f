// What a tile reads and writes: the interface between code compiled for one processor and code compiled for all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bothends {

/// Number format of weights and states.
enum class Precision { float32, bf16, int8 };
constexpr int precisions = 3;
constexpr int numbers_in_word(Precision of) { return of == Precision::float32 ? 1 : of == Precision::bf16 ? 2 : 4; }
/// Kind of cell. One kind of GRU applies its reset gate to what the recurrent weights gave, as PyTorch and cuDNN do
/// (ONNX's linear_before_reset=1); the other to the state that they multiply.
enum class Cell { lstm, gru, gru_reset_before };
constexpr int cells = 3;
constexpr int gates = 4;               // of an LSTM; of other sums, as many blocks of a linear layer's outputs
// Blocks of rows in a cell's weights, as ONNX stacks them: i, o, f, c; z, r, h.
constexpr int gates_of(Cell cell) { return cell == Cell::lstm ? 4 : 3; }
/// What is done with a state for which `Row::pooled` has a place.
enum class Sink { store, max, sum };
constexpr int max_rows = 6;           // of a tile, at any level
constexpr std::size_t alignment = 64;  // of everything that is loaded as lanes

/// Packed weights of one direction of one layer. A "word" is 32 bits: one float32, two bf16 or four int8 of one weight
/// row, so that a tile's inner loop is the same at each precision. Tile order is [block of `width` units][gate][unit].
struct PackedWeights {
    const char* weights;             // words [block][input words, then state words][gate][unit]
    const float* bias;               // tile order; W's and R's, added
    const float* scale;              // int8 only, tile order: what a sum of integers is worth
    const std::int32_t* correction;  // int8 only, tile order: -`int8_offset` times the sum of a weight row
    // A GRU's candidate adds the products of the state by themselves. [unit]; `correction` and `bias` then are W's.
    const float* inner_bias;
    const std::int32_t* inner_correction;
    std::ptrdiff_t block_bytes;  // of `weights`
    int blocks;
    int input_words;  // 0 where `Row::start` holds the input's product already
    int state_words;
    int words() const { return input_words + state_words; }
    float state_steps;  // int8 only: steps of a state in 1
    std::ptrdiff_t start_bytes;  // of a block in `Row::start`
    bool half_start;  // true if `Row::start` is float16
};

/// One sentence's part of a step.
struct Row {
    const char* input;  // words [input_words]
    const char* state;  // words [state_words]: h, as the precision holds it
    const char* start;  // tile order: the input's product with its bias, or the bias alone
    float* cell;  // float32 [units]: an LSTM's c, a GRU's h; read and written
    char* next;  // h of this step, as the precision holds it; of a fold: the row of the table
    float* pooled;  // float32 [units]: where `sink` takes h, before it is rounded; or nullptr
    Sink sink;
    // Of a GRU whose reset gate comes first, between its two tiles: r·h as the precision holds it, and two gates.
    char* reset;
    float* update;  // float32 [units]: z
    float* candidate;  // float32 [units]: the input's part of h, without its bias where `start` has it
    char* sums;  // unfinished sums, as the precision adds them up: of a part that ends before the last word
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

/// Functions of float32 numbers, whose count is a multiple of 16.
struct Numbers {
    void (*tanh)(float* numbers, int count);
    void (*exp_below)(float* numbers, const float* largest, int count);  // exp(number - largest)
    void (*add_scaled)(float* sums, const float* numbers, float factor, int count);
};

/// Functions of one precision for all cells.
struct CellTiles {
    Tiles step[cells];  // a whole step; of a GRU whose reset gate comes first, its two gates
    Tiles candidate;  // what then is left of that one's step
};

/// The functions of one instruction set.
struct Level {
    const char* name;
    int width;  // units in a block
    int rows;  // most rows of a tile
    int wide_blocks;
    CellTiles tiles[precisions];
    Tiles fold[2];  // to float32, to float16
    Numbers numbers;
    // Runs `rounds` of the inner loop on registers alone; each is rows × gates × width × (1, 2 or 4) multiply-adds.
    void (*peak[precisions])(std::int64_t rounds, float* sink);
    int int8_offset;  // an int8 state is this + 127·h
    std::ptrdiff_t sums_bytes() const { return std::ptrdiff_t(gates) * width * 4; }  // of a block and a row
};

}  // namespace bothends
