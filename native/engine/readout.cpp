#include "readout.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace bothends {
namespace {

constexpr std::int64_t rows_at_once = 48;  // of which something between is kept

template <class Work>
void by_chunks(std::int64_t count, Work work) {
    for (std::int64_t from = 0; from < count; from += rows_at_once) work(from, std::min(rows_at_once, count - from));
}

float* sized(std::vector<float>& numbers, std::size_t count) {
    if (numbers.size() < count) numbers.resize(count);
    return numbers.data();
}

// Without what pads it.
void compact(const float* from, InputLayout layout, float* to) {
    for (int vector = 0; vector < layout.vectors; ++vector)
        std::copy_n(from + vector * layout.padded, layout.size, to + vector * layout.size);
}

}  // namespace

Readout::Readout(const Shape& shape, const EncoderWeights& weights)
    : shape_(shape),
      keeps_steps_(shape.pooling == Pooling::attention ||
                   (shape.pooling == Pooling::max && !weights.projections.empty())),
      state_(shape.directions * hidden()),
      vectors_(shape.pooled_vectors()),
      then_(weights.then),
      epsilon_(weights.epsilon) {
    const Level& level = *shape.level;
    InputLayout layout{shape.directions, hidden(), keeps_steps_ ? shape.top().units() : hidden()};
    if (!weights.projections.empty()) {
        projection_.emplace(level, weights.projections.back(), layout);
        state_ = projection_->outputs();
        layout = {1, state_, state_};
    }
    if (shape.pooling == Pooling::attention) {
        attention_hidden_.emplace(level, weights.attention_hidden, layout);
        const int size = attention_hidden_->outputs();
        attention_scores_.emplace(level, weights.attention_scores, InputLayout{1, size, size});
        vectors_ = attention_scores_->outputs();
    }
    if (!weights.head) return;
    const int pooled = vectors_ * state_, size = weights.head.outputs;
    head_.emplace(level, weights.head, InputLayout{1, pooled, pooled});
    if (then_ != Then::layer_norm) return;
    norm_weight_.assign(weights.norm_weight, weights.norm_weight + size);
    norm_bias_.assign(weights.norm_bias, weights.norm_bias + size);
}

std::size_t Readout::bytes() const {
    std::size_t total = 0;
    for (const auto* linear : {&projection_, &attention_hidden_, &attention_scores_, &head_})
        if (*linear) total += (*linear)->bytes();
    return total;
}

void Readout::run(const TopStates& states, ReadoutScratch& scratch, float* rows) const {
    const float* pooled = states.pooled;
    if (keeps_steps_) {
        const int units = shape_.top().units();
        Steps steps{states.steps, std::size_t(shape_.directions) * units, {shape_.directions, hidden(), units}};
        if (projection_) steps = projected(steps, states.offsets[states.sentences] - states.offsets[0], scratch);
        pooled = attention_hidden_ ? attended(states, steps, scratch) : largest(states, steps, scratch);
    } else if (projection_) {
        pooled = projected(pooled, states.sentences, scratch);
    }
    if (head_) apply_head(pooled, states.sentences, scratch, rows);
    else std::copy_n(pooled, states.sentences * dimension(), rows);
}

Readout::Steps Readout::projected(const Steps& steps, std::int64_t tokens, ReadoutScratch& scratch) const {
    const std::size_t stride = projection_->stride();
    float* const to = sized(scratch.projected, std::size_t(tokens) * stride);
    projection_->run(steps.numbers, steps.stride, tokens, to);
    return {to, stride, {1, state_, state_}};
}

// A sum of states that is projected is the sum of projected ones: for all poolings but the maximum.
const float* Readout::projected(const float* pooled, std::int64_t sentences, ReadoutScratch& scratch) const {
    const std::int64_t count = sentences * vectors_;
    const std::size_t size = std::size_t(shape_.directions) * hidden(), stride = projection_->stride();
    float* const to = sized(scratch.pooled, std::size_t(count) * state_);
    float* const given = sized(scratch.given, rows_at_once * stride);
    by_chunks(count, [&](std::int64_t from, std::int64_t here) {
        projection_->run(pooled + from * size, size, here, given);
        for (std::int64_t row = 0; row < here; ++row)
            std::copy_n(given + row * stride, state_, to + (from + row) * state_);
    });
    return to;
}

const float* Readout::largest(const TopStates& states, const Steps& steps, ReadoutScratch& scratch) const {
    float* const to = sized(scratch.pooled, std::size_t(states.sentences) * state_);
    const std::int64_t first = states.offsets[0];
    for (std::int64_t sentence = 0; sentence < states.sentences; ++sentence) {
        float* const row = to + sentence * state_;
        const std::int64_t from = states.offsets[sentence] - first, end = states.offsets[sentence + 1] - first;
        std::copy_n(steps.numbers + from * steps.stride, state_, row);
        for (std::int64_t step = from + 1; step < end; ++step) {
            const float* const numbers = steps.numbers + step * steps.stride;
            for (int at = 0; at < state_; ++at) row[at] = row[at] > numbers[at] ? row[at] : numbers[at];
        }
    }
    return to;
}

const float* Readout::attended(const TopStates& states, const Steps& steps, ReadoutScratch& scratch) const {
    const std::int64_t first = states.offsets[0], tokens = states.offsets[states.sentences] - first;
    const Linear &hidden_layer = *attention_hidden_, &scorer = *attention_scores_;
    const std::size_t hidden_stride = hidden_layer.stride(), stride = scorer.stride();
    float* const hidden = sized(scratch.hidden, rows_at_once * hidden_stride);
    float* const scores = sized(scratch.scores, std::size_t(tokens) * stride);
    by_chunks(tokens, [&](std::int64_t from, std::int64_t here) {
        hidden_layer.run(steps.numbers + from * steps.stride, steps.stride, here, hidden);
        shape_.level->numbers.tanh(hidden, static_cast<int>(here * hidden_stride));
        scorer.run(hidden, hidden_stride, here, scores + from * stride);
    });
    float* const to = sized(scratch.pooled, std::size_t(states.sentences) * vectors_ * state_);
    const int padded = steps.layout.vectors * steps.layout.padded, width = (padded + 15) / 16 * 16;
    float* const sums = sized(scratch.sums, width);
    for (std::int64_t sentence = 0; sentence < states.sentences; ++sentence) {
        const std::int64_t from = states.offsets[sentence] - first, end = states.offsets[sentence + 1] - first;
        weigh(scores + from * stride, end - from, scratch);
        for (int hop = 0; hop < vectors_; ++hop) {
            std::fill_n(sums, width, 0.0f);
            for (std::int64_t step = from; step < end; ++step)
                shape_.level->numbers.add_scaled(sums, steps.numbers + step * steps.stride, scores[step * stride + hop],
                                                 width);
            compact(sums, steps.layout, to + (sentence * vectors_ + hop) * state_);
        }
    }
    return to;
}

// A sentence's scores [steps, stride] become weights: for each hop a softmax over the steps, in their order.
void Readout::weigh(float* scores, std::int64_t steps, ReadoutScratch& scratch) const {
    const int stride = attention_scores_->stride();
    float* const largest = sized(scratch.largest, stride);
    float* const totals = sized(scratch.totals, stride);
    std::copy_n(scores, stride, largest);
    for (std::int64_t step = 1; step < steps; ++step)
        for (int hop = 0; hop < stride; ++hop) largest[hop] = std::max(largest[hop], scores[step * stride + hop]);
    std::fill_n(totals, stride, 0.0f);
    for (std::int64_t step = 0; step < steps; ++step) {
        float* const powers = scores + step * stride;
        shape_.level->numbers.exp_below(powers, largest, stride);
        for (int hop = 0; hop < stride; ++hop) totals[hop] += powers[hop];
    }
    for (std::int64_t step = 0; step < steps; ++step)
        for (int hop = 0; hop < stride; ++hop) scores[step * stride + hop] /= totals[hop];
}

void Readout::apply_head(const float* pooled, std::int64_t sentences, ReadoutScratch& scratch, float* rows) const {
    const std::size_t size = std::size_t(vectors_) * state_, stride = head_->stride();
    float* const given = sized(scratch.given, rows_at_once * stride);
    by_chunks(sentences, [&](std::int64_t from, std::int64_t here) {
        head_->run(pooled + from * size, size, here, given);
        if (then_ == Then::tanh) shape_.level->numbers.tanh(given, static_cast<int>(here * stride));
        for (std::int64_t row = 0; row < here; ++row) {
            float* const numbers = given + row * stride;
            if (then_ == Then::relu)
                for (int at = 0; at < head_->outputs(); ++at) numbers[at] = numbers[at] > 0 ? numbers[at] : 0;
            if (then_ == Then::layer_norm) normalise(numbers);
            std::copy_n(numbers, head_->outputs(), rows + (from + row) * head_->outputs());
        }
    });
}

// In float64, in the order of the numbers, which no processor changes.
void Readout::normalise(float* numbers) const {
    const int size = head_->outputs();
    double sum = 0, squares = 0;
    for (int at = 0; at < size; ++at) sum += numbers[at];
    const double mean = sum / size;
    for (int at = 0; at < size; ++at) squares += (numbers[at] - mean) * (numbers[at] - mean);
    const double scale = 1 / std::sqrt(squares / size + epsilon_);
    for (int at = 0; at < size; ++at)
        numbers[at] = static_cast<float>((numbers[at] - mean) * scale * norm_weight_[at] + norm_bias_[at]);
}

}  // namespace bothends
