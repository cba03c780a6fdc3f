#include "encoder.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bothends {
namespace {

// Tokens of a window where there are layers above the first. Their states take 8 MB a layer at hidden 256 in float32.
constexpr std::int64_t window_tokens = 4096;

std::string at(const char* array, std::int64_t index) { return array + ("[" + std::to_string(index) + "]"); }

}  // namespace

Encoder::Encoder(const Shape& shape, const EmbeddingTable& embeddings, const std::vector<Layer>& layers,
                 std::int64_t table_rows, int slots)
    : shape_(shape), embeddings_(embeddings), slots_(slots) {
    table_rows = std::min(table_rows, embeddings.vocabulary);
    const std::size_t row_bytes = shape_.layers.front().start_bytes();
    layers_.resize(layers.size());
    for (int direction = 0; direction < shape_.directions; ++direction) {
        folds_[direction] = pack_fold(shape_, layers[0][direction]);
        tables_[direction] = std::make_unique<Table>(embeddings.vocabulary, table_rows, row_bytes);
        layers_[0][direction] = pack_first(shape_, layers[0][direction]);
        for (std::size_t layer = 1; layer < layers.size(); ++layer)
            layers_[layer][direction] = pack_above(shape_, layer, layers[layer][direction]);
    }
}

bool Encoder::run(const Request& request, int threads, float* rows) {
    check(request);
    const Stop stop{stops_, stops_.load(std::memory_order_relaxed)};
    const auto scratch = scratches_.lease([] { return std::make_unique<Scratch>(); });
    for (std::int64_t from = 0, to; from < request.sentences; from = to) {
        to = request.sentences;
        if (shape_.layers.size() > 1)  // as many sentences as fill a window, and at least one
            for (to = from + 1; to < request.sentences; ++to)
                if (request.offsets[to + 1] - request.offsets[from] > window_tokens) break;
        if (!run_window(request, from, to, *scratch, threads, stop, rows)) return false;
    }
    return true;
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

bool Encoder::run_window(const Request& request, std::int64_t from, std::int64_t to, Scratch& scratch, int threads,
                         const Stop& stop, float* rows) {
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
    const Sentences sentences{request.token_ids, offsets, scratch.order.data(), to - from, offsets[from]};
    for (std::size_t layer = 0; layer < shape_.layers.size(); ++layer)
        if (!run_layer(layer, sentences, scratch, threads, stop, rows)) return false;
    return true;
}

bool Encoder::run_layer(std::size_t layer, const Sentences& sentences, Scratch& scratch, int threads, const Stop& stop,
                        float* rows) {
    const bool first = layer == 0, top = layer == shape_.layers.size() - 1;
    const int directions = shape_.directions;
    const auto pass = [&](int direction) {
        const Inputs inputs{first ? tables_[direction].get() : nullptr, &folds_[direction].packed, &embeddings_};
        return Pass{shape_,
                    layer,
                    layers_[layer][direction].packed,
                    inputs,
                    sentences,
                    direction == 1,
                    first ? nullptr : scratch.states[layer % 2].get(),
                    top ? nullptr : scratch.states[(layer + 1) % 2].get(),
                    rows};
    };
    Pass passes[max_directions] = {pass(0), pass(directions - 1)};  // of one direction, the second is unused
    std::atomic<bool> whole{true};
    pool_.run(threads, [&](int worker) {
        const auto chain = chains_.lease([this] { return std::make_unique<Chain>(shape_, slots_); });
        for (int turn = 0; turn < directions; ++turn)  // its own direction, then what is left of the other
            if (!chain->run(passes[(worker + turn) % directions], stop)) whole = false;
    });
    return whole;
}

std::int64_t Encoder::folded_rows() const {
    return std::max(tables_[0]->rows(), tables_[shape_.directions - 1]->rows());
}

std::size_t Encoder::bytes() const {
    std::size_t total = 0;
    for (int direction = 0; direction < shape_.directions; ++direction) {
        total += folds_[direction].bytes + tables_[direction]->bytes();
        for (const auto& layer : layers_) total += layer[direction].bytes;
    }
    return total;
}

}  // namespace bothends
