// The encoder: made from weights, it computes rows from token ids. binding.cpp gives it to Python.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "chain.hpp"
#include "cores.hpp"
#include "object_pool.hpp"
#include "pack.hpp"
#include "readout.hpp"
#include "shape.hpp"
#include "table.hpp"
#include "thread_pool.hpp"

namespace bothends {

/// Token ids of all sentences after each other; sentence s has those from offsets[s] to offsets[s + 1].
struct Request {
    const std::int32_t* token_ids;
    std::int64_t tokens;
    const std::int64_t* offsets;  // [sentences + 1]
    std::int64_t sentences;
};

/// Threads of a run: its caller's, and the encoder's own that help.
struct Threads {
    int max;
    bool only_idle;  // helpers work where that is worth it, on cores that no caller uses, and leave those again
};

/// Packed weights of an encoder, with the memory and threads that runs share. Safe to use from several threads.
class Encoder {
public:
    // Weights are copied, the embeddings are not. At most `table_rows` tokens are kept folded.
    Encoder(const Shape& shape, const EmbeddingTable& embeddings, const EncoderWeights& weights,
            std::int64_t table_rows, int slots, int max_threads);

    // Rows float32 [sentences, dimension]. False if it was stopped; then rows aren't valid. Throws
    // std::invalid_argument for a request that isn't right. Call it from as many threads as you like. Adds to
    // `helped_s` the seconds for which others helped.
    bool run(const Request& request, Threads threads, float* rows, double& helped_s);

    // Threads of a run that takes the cores that are idle, of as many as there are for all runs at once.
    Threads idle_threads() const { return {max_threads_, true}; }

    // Ends every run that has begun, at its next step.
    void stop() { stops_.fetch_add(1, std::memory_order_relaxed); }

    std::uint64_t stops() const { return stops_.load(std::memory_order_relaxed); }

    const Shape& shape() const { return shape_; }
    int dimension() const { return readout_->dimension(); }
    std::int64_t folded_rows() const;
    std::size_t bytes() const;

private:
    // Memory of one run beside slots: the order of its sentences, and the states of the layer below and of this one.
    struct Scratch {
        std::vector<std::int64_t> order;
        Memory states[2];
        std::size_t bytes = 0;
        std::vector<float> pooled, steps;  // of the top layer, where more follows
        ReadoutScratch readout;
    };

    // One run, for as long as it goes on.
    struct Running {
        const Stop stop;
        const Threads threads;
        float* const rows;
        std::atomic<std::int64_t> helped_ns{0};
    };

    void check(const Request& request) const;
    void pack(const EncoderWeights& weights);
    bool has_windows() const { return shape_.layers.size() > 1 || !readout_->is_nothing(); }
    bool run_window(const Request& request, std::int64_t from, std::int64_t to, Scratch& scratch, Running& running);
    bool run_layer(std::size_t layer, const Sentences& sentences, const Sinks& sinks, Scratch& scratch,
                   Running& running);
    int workers(std::size_t layer, const Sentences& sentences, Threads threads) const;
    Sinks sinks(const Request& request, std::int64_t from, std::int64_t to, Scratch& scratch, float* rows) const;

    Shape shape_;
    EmbeddingTable embeddings_;
    int slots_, max_threads_;
    std::vector<std::array<PackedCell, max_directions>> layers_;
    std::array<PackedBuffer, max_directions> folds_;
    std::array<std::unique_ptr<Table>, max_directions> tables_;
    std::optional<Readout> readout_;  // always there, once weights are packed
    std::atomic<std::uint64_t> stops_{0};
    ObjectPool<Chain> chains_;
    ObjectPool<Scratch> scratches_;
    ThreadPool pool_;  // last: its threads end before what they work on
};

}  // namespace bothends
