// What follows the cells: from the top layer's states, pooled or step by step, to embeddings. Float32 at each precision,
// and each sentence by itself, so that its bits depend on nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "linear.hpp"

namespace bothends {

/// Memory of one run, kept for the next.
struct ReadoutScratch {
    std::vector<float> projected, hidden, scores, largest, totals, sums, pooled, given;
};

/// What the chains leave of some sentences.
struct TopStates {
    const std::int64_t* offsets;  // [sentences + 1], of tokens
    std::int64_t sentences;
    const float* pooled;  // [sentences, pooled_size]; where steps aren't kept
    const float* steps;  // [tokens, directions, units]; where they are
};

/// Attention, projections of states, and a head: as much of them as the encoder has.
class Readout {
public:
    Readout(const Shape& shape, const EncoderWeights& weights);

    // Whether states of steps are kept and pooled here; else chains pool as they go.
    bool keeps_steps() const { return keeps_steps_; }
    // Whether what chains pool is the embedding.
    bool is_nothing() const { return !keeps_steps_ && !projection_ && !head_; }
    // Numbers that chains leave of a sentence.
    std::size_t pooled_size() const { return std::size_t(shape_.pooled_vectors()) * shape_.directions * hidden(); }
    int dimension() const { return head_ ? head_->outputs() : vectors_ * state_; }
    std::size_t bytes() const;

    // Embeddings [sentences, dimension].
    void run(const TopStates& states, ReadoutScratch& scratch, float* rows) const;

private:
    // States of steps, `stride` apart; a step's lie as `layout` says.
    struct Steps {
        const float* numbers;
        std::size_t stride;
        InputLayout layout;
    };

    int hidden() const { return shape_.top().hidden; }
    Steps projected(const Steps& steps, std::int64_t tokens, ReadoutScratch& scratch) const;
    const float* projected(const float* pooled, std::int64_t sentences, ReadoutScratch& scratch) const;
    const float* largest(const TopStates& states, const Steps& steps, ReadoutScratch& scratch) const;
    const float* attended(const TopStates& states, const Steps& steps, ReadoutScratch& scratch) const;
    void weigh(float* scores, std::int64_t steps, ReadoutScratch& scratch) const;
    void apply_head(const float* pooled, std::int64_t sentences, ReadoutScratch& scratch, float* rows) const;
    void normalise(float* numbers) const;

    const Shape& shape_;
    bool keeps_steps_;
    int state_;  // numbers of a vector of all directions, projected if they are
    int vectors_;  // of those in what is pooled
    std::optional<Linear> projection_, attention_hidden_, attention_scores_, head_;
    Then then_;
    std::vector<float> norm_weight_, norm_bias_;
    float epsilon_;
};

}  // namespace bothends
