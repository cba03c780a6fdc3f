// check [SENTENCES]: everything above the binding, under whatever sanitizers it was built with: each level, precision
// and number of layers, with many schedules, several callers at once, and runs that are stopped; and the bits that any
// processor finds. Says which levels there are and what differs, and fails.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "encoder.hpp"
#include "../shared/half.hpp"
#include "levels.hpp"

using namespace bothends;

namespace {

constexpr int vocabulary = 97, embedding = 13, hidden = 20;

std::atomic<int> failures{0};
int sentences_of_a_text = 40;  // fewer where a processor is emulated

void expect(bool holds, const std::string& what) {
    if (holds) return;
    ++failures;
    std::fprintf(stderr, "failed: %s\n", what.c_str());
}

std::vector<float> random_numbers(std::mt19937& source, std::size_t count) {
    std::vector<float> numbers(count);  // the same with every compiler's library: no std::uniform_real_distribution
    for (float& number : numbers) number = float(source() >> 8) * (0.8f * 0x1p-24f) - 0.4f;
    return numbers;
}

/// Which encoder: plain ones, and between them every cell, pooling and head.
struct Form {
    int layers;
    Cell cell = Cell::lstm;
    Pooling pooling = Pooling::final_states;
    int directions = 2;
    bool is_plain = true;  // else it has initial states, widths that differ, and linear layers wherever one may be
    Then then = Then::none;
    int hidden_of(int layer) const { return is_plain ? hidden : hidden + 7 * layer; }
};
constexpr Form forms[] = {
    {1},
    {2},
    {3},
    {2, Cell::gru, Pooling::attention, 2, false, Then::tanh},
    {3, Cell::gru_reset_before, Pooling::mean, 1, false, Then::layer_norm},
    {3, Cell::lstm, Pooling::max, 2, false, Then::relu},
    {1, Cell::lstm, Pooling::first_and_last_output, 2, false, Then::layer_norm},
    {2, Cell::gru, Pooling::last_output},
};

// Weights in memory of exactly their size, so that a number read past them is seen.
struct Model {
    explicit Model(const Form& of) : form(of), source(form.is_plain ? form.layers : 100 + form.layers) {
        table = random_numbers(source, vocabulary * embedding);
        for (float number : table) half_table.push_back(to_half(number));
        int inputs = embedding;
        if (!form.is_plain) inputs = add_linear(weights_of.input_projection, inputs, 11);
        for (int layer = 0; layer < form.layers; ++layer) inputs = add_layer(layer, inputs);
        if (form.pooling == Pooling::first_and_last_output) inputs *= 2;
        if (form.pooling == Pooling::attention) {
            const int size = add_linear(weights_of.attention_hidden, inputs, 9);
            inputs *= add_linear(weights_of.attention_scores, size, 3);
        }
        if (!form.is_plain) add_head(inputs);
    }
    int add_linear(LinearWeights& linear, int inputs, int outputs) {
        linear = {add(std::size_t(inputs) * outputs), add(std::size_t(outputs)), inputs, outputs};
        return outputs;
    }
    int add_layer(int layer, int inputs) {
        const int units = form.hidden_of(layer), rows = gates_of(form.cell) * units;
        LayerWeights made;
        for (int direction = 0; direction < form.directions; ++direction) {
            DirectionWeights& weights = made[direction];
            weights.w = add(std::size_t(rows) * inputs);
            weights.r = add(std::size_t(rows) * units);
            weights.b = add(std::size_t(rows) * 2);
            if (form.is_plain) continue;
            weights.h_0 = add(units);
            if (form.cell == Cell::lstm) weights.c_0 = add(units);
        }
        weights_of.layers.push_back(made);
        if (form.is_plain || form.cell != Cell::lstm) return form.directions * units;
        weights_of.projections.emplace_back();
        return add_linear(weights_of.projections.back(), form.directions * units, form.directions * 5);
    }
    void add_head(int inputs) {
        const int outputs = add_linear(weights_of.head, inputs, 6);
        weights_of.then = form.then;
        weights_of.norm_weight = add(outputs), weights_of.norm_bias = add(outputs), weights_of.epsilon = 1e-5f;
    }
    const float* add(std::size_t count) {
        arrays.push_back(random_numbers(source, count));
        return arrays.back().data();
    }
    Form form;
    std::mt19937 source;
    std::vector<float> table;
    std::vector<std::uint16_t> half_table;
    std::vector<std::vector<float>> arrays;
    EncoderWeights weights_of;
};

struct Text {
    explicit Text(unsigned seed, int sentences = sentences_of_a_text, int longest = 25) {
        std::mt19937 source(seed);
        offsets.push_back(0);
        for (int sentence = 0; sentence < sentences; ++sentence) {
            const int length = 1 + int(source() % unsigned(longest));
            for (int token = 0; token < length; ++token) ids.push_back(int(source() % vocabulary));
            offsets.push_back(std::int64_t(ids.size()));
        }
    }
    Request request() const {
        return {ids.data(), std::int64_t(ids.size()), offsets.data(), std::int64_t(offsets.size()) - 1};
    }
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> offsets;
};

bool run(Encoder& encoder, const Request& request, int threads, float* rows) {
    double helped_s = 0;
    return encoder.run(request, {threads, false}, rows, helped_s);
}

std::vector<float> rows_of(Encoder& encoder, const Request& request, int threads) {
    std::vector<float> rows(std::size_t(request.sentences) * encoder.dimension());
    expect(run(encoder, request, threads, rows.data()), "a run that was not stopped");
    return rows;
}

bool same(const std::vector<float>& one, const std::vector<float>& other) {
    return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0;
}

struct Kind {
    const Level& level;
    Precision precision;
    bool half;
    std::string name() const { return level.name + (" at precision " + std::to_string(static_cast<int>(precision))); }
};

std::unique_ptr<Encoder> made(const Model& model, const Kind& kind, std::int64_t table_rows, int slots) {
    const Form& form = model.form;
    Shape shape{&kind.level, kind.precision, form.cell, form.directions, embedding, form.pooling};
    for (int layer = 0; layer < form.layers; ++layer) shape.add_layer(form.hidden_of(layer));
    const void* numbers = kind.half ? static_cast<const void*>(model.half_table.data()) : model.table.data();
    return std::make_unique<Encoder>(shape, EmbeddingTable{numbers, kind.half, vocabulary}, model.weights_of,
                                     table_rows, slots, 2);
}

void check_schedules(const Model& model, const Kind& kind) {
    const Text text(1);
    const auto expected = rows_of(*made(model, kind, vocabulary, 7), text.request(), 1);
    for (const auto& [slots, threads, table_rows] : {std::array{1, 2, 5}, {12, 1, 0}, {5, 3, 40}}) {
        const auto encoder = made(model, kind, table_rows, slots);
        for (int time = 0; time < 2; ++time)
            expect(same(rows_of(*encoder, text.request(), threads), expected), "same bits of " + kind.name());
    }
}

// Of the rows' bits (FNV-1a).
std::uint64_t hash(const std::vector<float>& rows) {
    std::uint64_t found = 0xcbf29ce484222325;
    for (const float number : rows) {
        std::uint32_t bits;
        std::memcpy(&bits, &number, sizeof bits);
        for (int byte = 0; byte < 4; ++byte) found = (found ^ (bits >> (8 * byte) & 0xff)) * 0x100000001b3;
    }
    return found;
}

// By form and precision. x86's levels, which tests hold to PyTorch, found them.
constexpr std::uint64_t expected_hash[][precisions] = {
    {0x60355cb611628fbb, 0x28290c77a059d05b, 0x751a233b8210443c},
    {0x8c57ba7bdb9ea9b8, 0xb4a1280e0f03f2e3, 0x3ebca9eed62dca9d},
    {0x73e11319f75e0f7d, 0x76481c8e22029c41, 0xcdf12125bd31c40b},
    {0x744a496cd28f03f9, 0x0286345d713d3c05, 0x570c42d435e7999d},
    {0xfc5e99e3f21910c7, 0xc7a7bb4419c0abd4, 0x251a84e1e1570cdc},
    {0x76af70d42892fc9f, 0x874a3bae0ba26c20, 0x20c24311dfe0ebf2},
    {0x49d80879638d895e, 0xb3a323217b55a450, 0xa706a37829d492b6},
    {0xfa424c007883398c, 0x248b524aff859fbf, 0xe99999539499cfe7},
};

// True for levels that compute by the operations that most have, and so must find the same bits.
bool is_exact(const Kind& kind) {
    const std::string level = kind.level.name;
#if !defined(__FP_FAST_FMAF)
    if (level == "portable") return false;  // it rounds products before it adds them
#endif
    const bool has_bf16 = level == "avx512" || level == "neon_bf16";  // an instruction that may round differently
    return kind.precision != Precision::bf16 || !has_bf16;
}

// The bits that others find, or at least numbers as near to float32's as the precision promises.
void check_bits(const Model& model, int form, const Kind& kind) {
    constexpr float max_difference[precisions] = {0, 2e-3f, 1.5e-2f};
    const Text text(1, 12);
    const int precision = static_cast<int>(kind.precision);
    const Kind exact{kind.level, Precision::float32, kind.half};
    const auto rows = rows_of(*made(model, kind, vocabulary, 7), text.request(), 1);
    const auto wanted = rows_of(*made(model, exact, vocabulary, 7), text.request(), 1);
    float difference = 0;
    for (std::size_t at = 0; at < rows.size(); ++at)
        difference = std::max(difference, std::fabs(rows[at] - wanted[at]));
    const float most = max_difference[precision] * (model.form.is_plain ? 1 : 4);  // of large states and norms
    expect(difference <= most, kind.name() + " is off by " + std::to_string(difference));
    if (is_exact(kind) && hash(rows) != expected_hash[form][precision])
        expect(false, "others' bits of " + kind.name() + ", form " + std::to_string(form) + ": the hash is " +
                          std::to_string(hash(rows)));
}

void check_callers(const Model& model, const Kind& kind) {
    const auto calm = made(model, kind, vocabulary, 12), shared = made(model, kind, 30, 3);
    std::vector<std::thread> callers;
    for (unsigned caller = 0; caller < 4; ++caller) {
        const Text text(caller);
        const auto expected = rows_of(*calm, text.request(), 1);
        callers.emplace_back([=, &shared] {
            for (int time = 0; time < 3; ++time)
                expect(same(rows_of(*shared, text.request(), 2), expected), "callers at once, " + kind.name());
        });
    }
    for (std::thread& caller : callers) caller.join();
}

// Callers come and go, some of them while a helper works for another: each has its own rows all the same.
void check_idle(const Model& model, const Kind& kind) {
    const Text much(3, 2 * sentences_of_a_text, 200);
    const auto encoder = made(model, kind, vocabulary, 12);
    const auto expected = rows_of(*encoder, much.request(), 1);
    const auto run_idle = [&] {
        std::vector<float> rows(expected.size());
        double helped_s = 0;
        expect(encoder->run(much.request(), encoder->idle_threads(), rows.data(), helped_s), "a run on idle cores");
        expect(same(rows, expected), "a run on idle cores, " + kind.name());
    };
    for (int round = 0; round < 2; ++round) {
        run_idle();
        std::thread other(run_idle);
        run_idle();
        other.join();
    }
}

void check_cores() {
    Cores cores;
    constexpr int threads = 2;
    std::optional<Cores::Caller> first(std::in_place, cores, threads), second;
    expect(cores.are_idle(threads), "the second core is idle");
    std::optional<Cores::Helper> helper(std::in_place, cores, threads);
    expect(helper->helps() && !helper->leaves(), "a helper takes the second core");
    expect(!Cores::Helper(cores, threads).helps(), "there is no third");
    second.emplace(cores, threads);
    expect(helper->leaves() && helper->leaves(), "a helper leaves once a caller wants its core");
    helper.reset(), first.reset(), second.reset();
    expect(!cores.are_idle(threads), "cores that were wanted a moment ago aren't idle");
    first.emplace(cores, threads);
    expect(Cores::Helper(cores, threads).helps(), "each has left");
}

void check_stop(const Model& model, const Kind& kind) {
    const Text endless(1, 2, 1 << 20);
    const auto encoder = made(model, kind, vocabulary, 4);
    std::vector<float> rows(std::size_t(2) * encoder->dimension());
    std::atomic<bool> over{false};
    std::thread caller([&] {
        expect(!run(*encoder, endless.request(), 2, rows.data()), "a run that was stopped");
        over = true;
    });
    while (!over) {  // a stop before it has begun is none
        encoder->stop();
        std::this_thread::yield();
    }
    caller.join();
    rows_of(*encoder, Text(2).request(), 2);
}

void check_refusals(const Model& model, const Kind& kind) {
    const auto encoder = made(model, kind, vocabulary, 4);
    const std::vector<std::vector<std::int32_t>> wrong_ids = {{vocabulary}, {-1}, {}};
    for (const auto& ids : wrong_ids) {
        const std::vector<std::int64_t> offsets = {0, std::int64_t(ids.size())};
        std::vector<float> row(std::size_t(encoder->dimension()));
        try {
            run(*encoder, {ids.data(), std::int64_t(ids.size()), offsets.data(), 1}, 1, row.data());
            expect(false, "a request that is wrong is refused");
        } catch (const std::invalid_argument&) {
        }
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count > 1) sentences_of_a_text = std::atoi(arguments[1]);
    for (const Level& level : levels()) std::printf("%s ", level.name);
    std::fflush(stdout);
    static_assert(std::size(forms) == std::size(expected_hash));
    for (int form = 0; form < int(std::size(forms)); ++form) {
        const Model model(forms[form]);
        for (const Level& level : levels()) {
            for (int precision = 0; precision < precisions; ++precision) {
                const Kind kind{level, static_cast<Precision>(precision), forms[form].layers == 2};
                check_bits(model, form, kind);
                check_schedules(model, kind);
                check_callers(model, kind);
            }
        }
        const Kind best{levels().front(), Precision::float32, false};
        check_stop(model, best);
        check_idle(model, best);
        check_refusals(model, best);
    }
    check_cores();
    std::printf("%s\n", failures ? "failed" : "everything holds");
    return failures != 0;
}
