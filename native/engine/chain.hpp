// One direction of one layer over many sentences: each step takes every running sentence one token on, and a sentence
// that ends frees its slot for the next one at that very step, so that nothing is padded. Several threads may work on
// one pass, each with slots of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "cores.hpp"
#include "memory.hpp"
#include "pack.hpp"
#include "shape.hpp"
#include "table.hpp"

namespace bothends {

/// Sentences as they were asked for, and the order in which they are begun.
struct Sentences {
    const std::int32_t* token_ids;
    const std::int64_t* offsets;  // of `token_ids`; sentence s has those from offsets[s] to offsets[s + 1]
    const std::int64_t* order;
    std::int64_t count;        // in `order`
    std::int64_t first_token;  // what the states of the layers below and above are counted from
    std::int64_t tokens;       // of all of them
};

/// The first layer's inputs; of the layers above, `table` is nullptr.
struct Inputs {
    Table* table;
    const PackedWeights* fold;
    const EmbeddingTable* embeddings;
};

/// Where the top layer's states go: pooled, or each step's by itself.
struct Sinks {
    float* pooled;       // float32 [sentences, pooled_size], counted from `first_sentence`
    std::size_t pooled_size;
    std::int64_t first_sentence;
    float* steps;  // float32 [tokens, directions, units] of states that are pooled later; or nullptr
};

/// One direction of one layer over some sentences: the work that workers share.
struct Pass {
    const Shape& shape;
    std::size_t layer;
    const PackedCell& cell;
    const PackedWeights& packed;  // the cell's, of a step
    Inputs inputs;
    Sentences sentences;
    bool backward;
    const char* below;  // states of all directions of the layer below, by token; nullptr for the first layer
    char* above;        // where this layer's states go; nullptr for the top layer
    Sinks sinks;        // of the top layer
    std::atomic<std::int64_t> next{0};  // in `order`

    const LayerShape& sizes() const { return shape.layers[layer]; }
};

/// Interrupts a run once `now` differs from `before`.
struct Stop {
    const std::atomic<std::uint64_t>& now;
    std::uint64_t before;
    bool asked() const { return now.load(std::memory_order_relaxed) != before; }
};

/// How a chain's part of a pass ended.
enum class Ending { whole, stopped, left };

/// A thread's slots, kept from one run to the next. Not shared.
class Chain {
public:
    Chain(const Shape& shape, int slots);

    // Does as much of the pass as other workers leave. A helper may leave in between; then another thread goes on with
    // what it had begun.
    Ending run(Pass& pass, const Stop& stop, Cores::Helper* helper = nullptr);
    Ending go_on(Pass& pass, const Stop& stop, Cores::Helper* helper = nullptr);

private:
    struct Slot {
        std::int64_t sentence, first, length, done;  // `first` of its tokens; steps `done`
        std::int64_t begun;  // steps whose inputs are added already
        char* sums;  // of the step, where it is begun
        const char* state;  // h before the step
        char* own[2];  // h of every other step, where no layer above reads it
        float* cell;
        float* pooled[2];  // what `sink` has taken
        char* reset;  // of a GRU whose reset gate comes first, as `Row` has them
        float* update;
        float* candidate;
        char* start;  // its input's product, where the table has none
        float* embedding;  // its token's vector, where that is widened
    };

    void refill(Pass& pass);
    void begin(const Pass& pass, Slot& slot, std::int64_t sentence);
    bool begin_ahead(const Pass& pass);
    void prepare(const Pass& pass);
    const char* missing(const Pass& pass, Slot& slot, std::int32_t token_id);
    void fold(const Pass& pass);
    void advance(const Pass& pass);
    void sink(const Pass& pass, const Slot& slot, Row& row) const;
    void finish(const Pass& pass, const Slot& slot) const;

    static std::int64_t token(const Pass& pass, const Slot& slot, std::int64_t step) {
        return slot.first + (pass.backward ? slot.length - 1 - step : step);
    }
    // Where a token's states of all directions are, among those of a layer.
    std::size_t states_at(const Pass& pass, std::size_t layer, std::int64_t token) const {
        return std::size_t(token - pass.sentences.first_token) * shape_.states_bytes(layer);
    }

    const Shape& shape_;
    Memory memory_;
    std::vector<Slot> slots_;
    std::vector<Row> rows_, missing_;
    struct Made {
        std::int32_t token;
        const char* row;
    };
    std::vector<Made> made_;
    int active_ = 0;
    char* ahead_;  // sums of steps that are begun
};

}  // namespace bothends
