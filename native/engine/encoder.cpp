#include "encoder.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "folding.hpp"

namespace bothends {
namespace {

// Tokens of a window where there are layers above the first. Their states take 8 MB a layer at hidden 256 in float32.
constexpr std::int64_t window_tokens = 4096;

// Bytes of weights that all tokens of a layer's direction meet, from which on another thread is woken for it: about
// 100 µs of work.
constexpr std::int64_t shared_bytes = 20'000'000;

/// Chains that helpers left, and what they were at: their caller goes on with them.
struct Left {
    struct Begun {
        ObjectPool<Chain>::Lease chain;
        Pass& pass;
    };

    void add(ObjectPool<Chain>::Lease chain, Pass& pass) {
        const std::lock_guard lock(mutex);
        begun.push_back({std::move(chain), pass});
    }

    std::mutex mutex;
    std::vector<Begun> begun;
};

/// Adds the time for which it lives.
class Stopwatch {
public:
    explicit Stopwatch(std::atomic<std::int64_t>& total_ns) : total_ns_(total_ns) {}
    Stopwatch(const Stopwatch&) = delete;
    ~Stopwatch() { total_ns_ += (std::chrono::steady_clock::now() - began_) / std::chrono::nanoseconds(1); }

private:
    std::atomic<std::int64_t>& total_ns_;
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

std::string at(const char* array, std::int64_t index) { return array + ("[" + std::to_string(index) + "]"); }

}  // namespace

Encoder::Encoder(const Shape& shape, const EmbeddingTable& embeddings, const EncoderWeights& weights,
                 std::int64_t table_rows, int slots, int max_threads)
    : shape_(shape), embeddings_(embeddings), slots_(slots), max_threads_(max_threads) {
    for (std::size_t layer = 0; layer < shape_.layers.size(); ++layer)
        for (int direction = 0; direction < shape_.directions; ++direction)
            if (const float* h_0 = weights.layers[layer][direction].h_0)
                for (int unit = 0; unit < shape_.layers[layer].hidden; ++unit)
                    shape_.layers[layer].state_bound = std::max(shape_.layers[layer].state_bound, std::fabs(h_0[unit]));
    pack(weights);
    const std::size_t row_bytes = shape_.layers.front().start_bytes();
    for (int direction = 0; direction < shape_.directions; ++direction)
        tables_[direction] =
            std::make_unique<Table>(embeddings.vocabulary, std::min(table_rows, embeddings.vocabulary), row_bytes);
}

void Encoder::pack(const EncoderWeights& weights) {
    layers_.resize(shape_.layers.size());
    for (std::size_t layer = 0; layer < layers_.size(); ++layer)
        for (int direction = 0; direction < shape_.directions; ++direction) {
            DirectionWeights of = weights.layers[layer][direction];
            std::optional<FoldedWeights> folded;
            const bool projected = layer > 0 && !weights.projections.empty();
            const LinearWeights below = projected ? weights.projections[layer - 1] : LinearWeights{};
            if (const LinearWeights& linear = layer > 0 ? below : weights.input_projection) {
                folded.emplace(of, gates_of(shape_.cell) * shape_.layers[layer].hidden, linear);
                of = folded->weights();
            }
            if (layer == 0) folds_[direction] = pack_fold(shape_, of);
            layers_[layer][direction] = pack_cell(shape_, layer, of);
        }
    readout_.emplace(shape_, weights);
}

bool Encoder::run(const Request& request, Threads threads, float* rows, double& helped_s) {
    check(request);
    const Cores::Caller caller(Cores::all(), max_threads_);
    Running running{{stops_, stops_.load(std::memory_order_relaxed)}, threads, rows};
    bool is_whole = true;
    const auto scratch = scratches_.lease([] { return std::make_unique<Scratch>(); });
    for (std::int64_t from = 0, to; is_whole && from < request.sentences; from = to) {
        to = request.sentences;
        if (has_windows())  // as many sentences as fill a window, and at least one
            for (to = from + 1; to < request.sentences; ++to)
                if (request.offsets[to + 1] - request.offsets[from] > window_tokens) break;
        is_whole = run_window(request, from, to, *scratch, running);
    }
    helped_s += double(running.helped_ns) * 1e-9;
    return is_whole;
}

void Encoder::check(const Request& request) const {
    if (request.offsets[0] != 0) throw std::invalid_argument("offsets[0] must be 0");
    for (std::int64_t sentence = 1; sentence <= request.sentences; ++sentence)
        if (request.offsets[sentence] <= request.offsets[sentence - 1])
            throw std::invalid_argument(at("offsets", sentence) +
                                        " must be above the one before: a sentence has tokens");
    if (request.offsets[request.sentences] != request.tokens)
        throw std::invalid_argument("the last of offsets is " + std::to_string(request.offsets[request.sentences]) +
                                    "; token_ids has " + std::to_string(request.tokens));
    for (std::int64_t token = 0; token < request.tokens; ++token)
        if (request.token_ids[token] < 0 || request.token_ids[token] >= embeddings_.vocabulary)
            throw std::invalid_argument(at("token_ids", token) + " is " + std::to_string(request.token_ids[token]) +
                                        "; the table has rows 0 to " + std::to_string(embeddings_.vocabulary - 1));
}

bool Encoder::run_window(const Request& request, std::int64_t from, std::int64_t to, Scratch& scratch,
                         Running& running) {
    const std::int64_t* offsets = request.offsets;
    scratch.order.resize(std::size_t(to - from));
    for (std::int64_t sentence = from; sentence < to; ++sentence)
        scratch.order[std::size_t(sentence - from)] = sentence;
    // Long ones first: in the end, when no sentence waits, slots are short of work for the fewest steps.
    std::stable_sort(scratch.order.begin(), scratch.order.end(), [offsets](std::int64_t one, std::int64_t other) {
        return offsets[one + 1] - offsets[one] > offsets[other + 1] - offsets[other];
    });
    if (shape_.layers.size() > 1) {
        const std::size_t of_token =
            shape_.directions * shape_.largest([](const LayerShape& layer) { return layer.state_bytes(); });
        const std::size_t bytes = std::size_t(offsets[to] - offsets[from]) * of_token;
        if (bytes > scratch.bytes) {
            scratch.bytes = 0;
            for (Memory& states : scratch.states) states = allocated(bytes);
            scratch.bytes = bytes;
        }
    }
    const Sentences sentences{request.token_ids, offsets,       scratch.order.data(),
                              to - from,         offsets[from], offsets[to] - offsets[from]};
    const Sinks top = sinks(request, from, to, scratch, running.rows);
    for (std::size_t layer = 0; layer < shape_.layers.size(); ++layer)
        if (!run_layer(layer, sentences, top, scratch, running)) return false;
    if (!readout_->is_nothing())
        readout_->run({offsets + from, to - from, top.pooled, top.steps}, scratch.readout,
                      running.rows + from * dimension());
    return true;
}

// Where the top layer's states go: into rows, or, if more is computed of them, into memory of the window.
Sinks Encoder::sinks(const Request& request, std::int64_t from, std::int64_t to, Scratch& scratch, float* rows) const {
    const std::size_t size = readout_->pooled_size();
    if (readout_->is_nothing()) return {rows, size, 0, nullptr};
    const auto sized = [](std::vector<float>& numbers, std::size_t count) {
        if (numbers.size() < count) numbers.resize(count);
        return numbers.data();
    };
    if (!readout_->keeps_steps()) return {sized(scratch.pooled, std::size_t(to - from) * size), size, from, nullptr};
    const std::size_t tokens = std::size_t(request.offsets[to] - request.offsets[from]);
    return {nullptr, 0, from, sized(scratch.steps, tokens * shape_.directions * shape_.top().units())};
}

bool Encoder::run_layer(std::size_t layer, const Sentences& sentences, const Sinks& sinks, Scratch& scratch,
                        Running& running) {
    const bool first = layer == 0, top = layer == shape_.layers.size() - 1;
    const int directions = shape_.directions;
    const auto pass = [&](int direction) {
        const Inputs inputs{first ? tables_[direction].get() : nullptr, &folds_[direction].packed, &embeddings_};
        return Pass{shape_,
                    layer,
                    layers_[layer][direction],
                    layers_[layer][direction].step.packed,
                    inputs,
                    sentences,
                    direction == 1,
                    first ? nullptr : scratch.states[layer % 2].get(),
                    top ? nullptr : scratch.states[(layer + 1) % 2].get(),
                    sinks};
    };
    Pass passes[max_directions] = {pass(0), pass(directions - 1)};  // of one direction, the second is unused
    Left left;
    std::atomic<bool> whole{true};
    pool_.run(workers(layer, sentences, running.threads), [&](int worker) {
        std::optional<Cores::Helper> helper;
        if (worker > 0 && running.threads.only_idle && !helper.emplace(Cores::all(), max_threads_).helps()) return;
        std::optional<Stopwatch> stopwatch;
        if (worker > 0) stopwatch.emplace(running.helped_ns);
        auto chain = chains_.lease([this] { return std::make_unique<Chain>(shape_, slots_); });
        for (int turn = 0; turn < directions; ++turn) {  // its own direction, then what is left of the other
            Pass& own = passes[(worker + turn) % directions];
            const Ending ending = chain->run(own, running.stop, helper ? &*helper : nullptr);
            if (ending == Ending::stopped) whole = false;
            if (ending == Ending::left) return left.add(std::move(chain), own);
        }
    });
    for (const auto& [chain, of] : left.begun)
        if (chain->go_on(of, running.stop) == Ending::stopped) whole = false;
    return whole;
}

// How many threads are worth it for a layer: as many as there are directions, and full slots of them.
int Encoder::workers(std::size_t layer, const Sentences& sentences, Threads threads) const {
    if (threads.max == 1 || !threads.only_idle) return threads.max;
    const PackedWeights& packed = layers_[layer][0].step.packed;
    const std::int64_t bytes = sentences.tokens * packed.blocks * packed.block_bytes;
    if (bytes < shared_bytes || !Cores::all().are_idle(max_threads_)) return 1;
    const std::int64_t full = (sentences.count + slots_ - 1) / slots_;
    return int(std::min<std::int64_t>(threads.max, full * shape_.directions));
}

std::int64_t Encoder::folded_rows() const {
    return std::max(tables_[0]->rows(), tables_[shape_.directions - 1]->rows());
}

std::size_t Encoder::bytes() const {
    std::size_t total = readout_->bytes();
    for (int direction = 0; direction < shape_.directions; ++direction) {
        total += folds_[direction].bytes + tables_[direction]->bytes();
        for (const auto& layer : layers_) total += layer[direction].bytes();
    }
    return total;
}

}  // namespace bothends
