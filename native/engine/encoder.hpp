// The encoder: made from weights, it computes rows from token ids. binding.cpp gives it to Python.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "chain.hpp"
#include "object_pool.hpp"
#include "pack.hpp"
#include "shape.hpp"
#include "table.hpp"
#include "thread_pool.hpp"

namespace bothends {

constexpr int max_directions = 2;

/// Token ids of all sentences after each other; sentence s has those from offsets[s] to offsets[s + 1].
struct Request {
    const std::int32_t* token_ids;
    std::int64_t tokens;
    const std::int64_t* offsets;  // [sentences + 1]
    std::int64_t sentences;
};

/// Packed weights of an encoder, with the memory and threads that runs share. Safe to use from several threads.
class Encoder {
public:
    using Layer = std::array<DirectionWeights, max_directions>;  // of one direction, the second is unused

    // Weights are copied, the embeddings are not. At most `table_rows` tokens are kept folded.
    Encoder(const Shape& shape, const EmbeddingTable& embeddings, const std::vector<Layer>& layers,
            std::int64_t table_rows, int slots);

    // Rows float32 [sentences, dimension]. False if it was stopped; then rows aren't valid. Throws
    // std::invalid_argument for a request that isn't right. Call it from as many threads as you like.
    bool run(const Request& request, int threads, float* rows);

    // Ends every run that has begun, at its next step.
    void stop() { stops_.fetch_add(1, std::memory_order_relaxed); }

    std::uint64_t stops() const { return stops_.load(std::memory_order_relaxed); }

    const Shape& shape() const { return shape_; }
    std::int64_t folded_rows() const;
    std::size_t bytes() const;

private:
    // Memory of one run beside slots: the order of its sentences, and the states of the layer below and of this one.
    struct Scratch {
        std::vector<std::int64_t> order;
        Memory states[2];
        std::size_t bytes = 0;
    };

    void check(const Request& request) const;
    bool run_window(const Request& request, std::int64_t from, std::int64_t to, Scratch& scratch, int threads,
                    const Stop& stop, float* rows);
    bool run_layer(std::size_t layer, const Sentences& sentences, Scratch& scratch, int threads, const Stop& stop,
                   float* rows);

    Shape shape_;
    EmbeddingTable embeddings_;
    int slots_;
    std::vector<std::array<PackedBuffer, max_directions>> layers_;
    std::array<PackedBuffer, max_directions> folds_;
    std::array<std::unique_ptr<Table>, max_directions> tables_;
    std::atomic<std::uint64_t> stops_{0};
    ObjectPool<Chain> chains_;
    ObjectPool<Scratch> scratches_;
    ThreadPool pool_;  // last: its threads end before what they work on
};

}  // namespace bothends
