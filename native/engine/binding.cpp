// The Python module of the encoder: it takes and returns arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>

#include "../shared/capsule.hpp"
#include "../shared/borrowed.hpp"
#include "arrays.hpp"
#include "encoder.hpp"
#include "given_weights.hpp"
#include "levels.hpp"
#include "peak.hpp"

namespace bothends {
namespace {

using namespace nb::literals;

constexpr int max_embedding = 1 << 14, max_slots = 1024, max_run_threads = 256, max_threads = 1024;
constexpr std::int64_t max_vocabulary = std::int64_t{1} << 31;
constexpr const char* precision_names[] = {"float32", "bf16", "int8"};
constexpr const char* cell_names[] = {"lstm", "gru", "gru_reset_before"};
constexpr const char* pooling_names[] = {"final_states",          "max",      "mean", "last_output",
                                         "first_and_last_output", "attention"};
static_assert(std::size(precision_names) == precisions && std::size(cell_names) == cells &&
              std::size(pooling_names) == poolings);

struct Interrupted : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The enumerator of a name; the names are in the order of the enumerators.
template <class Enum, std::size_t COUNT>
Enum named(const char* what, const char* const (&names)[COUNT], const std::string& name) {
    std::string choices;
    for (std::size_t index = 0; index < COUNT; ++index) {
        if (name == names[index]) return static_cast<Enum>(index);
        choices += (index == 0 ? "" : index == COUNT - 1 ? " or " : ", ") + std::string(names[index]);
    }
    throw std::invalid_argument(std::string(what) + ": unknown \"" + name + "\"; choose " + choices);
}

// Who makes one has looked that all numbers are finite: bothends does so for every engine (engines/onnx_sound.py).
class PythonEncoder {
public:
    PythonEncoder(Array table, const std::vector<nb::dict>& layers, const std::string& cell, const std::string& pooling,
                  const std::optional<nb::dict>& input_projection, const std::optional<nb::dict>& attention,
                  const std::optional<nb::dict>& head, const std::string& precision, const std::string& level,
                  std::optional<std::int64_t> table_rows, std::optional<std::int64_t> slots, std::int64_t threads)
        : table_(std::move(table)) {
        const bool half = table_.dtype() == float16;
        must_be("table", table_, half ? float16 : nb::dtype<float>(), {any_size, any_size});
        Shape shape{&level_named(level),
                    named<Precision>("precision", precision_names, precision),
                    named<Cell>("cell", cell_names, cell),
                    max_directions,
                    within("table's size", table_.shape(1), 1, max_embedding),
                    named<Pooling>("pooling", pooling_names, pooling)};
        const EmbeddingTable embeddings{table_.data(), half, std::int64_t(table_.shape(0))};
        within("table's vocabulary", embeddings.vocabulary, 1, max_vocabulary - 1);
        const GivenWeights given(shape, layers, input_projection, attention, head);
        const std::int64_t budget = table_rows.value_or(shape.usual_table_rows());
        within("table_rows", budget, 0, max_vocabulary - 1);
        const int side_by_side = within("slots", slots.value_or(shape.usual_slots()), 1, max_slots);
        const int at_once = within("threads", threads, 1, max_threads);
        const nb::gil_scoped_release release;
        encoder_ = std::make_unique<Encoder>(shape, embeddings, given.weights(), budget, side_by_side, at_once);
    }

    nb::ndarray<nb::numpy, float, nb::ndim<2>> run(const Array& token_ids, const Array& offsets,
                                                   std::optional<std::int64_t> threads) {
        const std::int32_t* ids = numbers<std::int32_t>("token_ids", token_ids, {any_size});
        const std::int64_t* ends = numbers<std::int64_t>("offsets", offsets, {any_size});
        if (offsets.shape(0) == 0) throw std::invalid_argument("offsets is empty; it begins with 0");
        const Threads wanted =
            threads ? Threads{within("threads", *threads, 1, max_run_threads), false} : encoder_->idle_threads();
        const Request request{ids, std::int64_t(token_ids.shape(0)), ends, std::int64_t(offsets.shape(0)) - 1};
        const std::size_t rows = std::size_t(request.sentences), dimension = std::size_t(encoder_->dimension());
        std::unique_ptr<float[]> results(new float[rows * dimension]);
        {
            const nb::gil_scoped_release release;
            double helped_s = 0;
            if (!encoder_->run(request, wanted, results.get(), helped_s)) throw Interrupted("stopped while it ran");
        }
        nb::capsule owner(results.get(), [](void* memory) noexcept { delete[] static_cast<float*>(memory); });
        return {results.release(), {rows, dimension}, owner};
    }

    Encoder& encoder() { return *encoder_; }

    static nb::capsule share(nb::object self) {
        Encoder& encoder = nb::cast<PythonEncoder&>(self).encoder();
        const auto stops = [](void* of) { return static_cast<Encoder*>(of)->stops(); };
        const shared::Encoder borrowed{&encoder, std::size_t(encoder.dimension()), &run_borrowed, stops};
        return shared::capsule_of(borrowed, std::move(self));
    }

private:
    static bool run_borrowed(void* of, const std::int32_t* ids, const std::int64_t* offsets, std::size_t sentences,
                             float* rows, double& helped_s) {
        auto& encoder = *static_cast<Encoder*>(of);
        try {
            const Request request{ids, offsets[sentences], offsets, std::int64_t(sentences)};
            if (!encoder.run(request, encoder.idle_threads(), rows, helped_s)) return false;
        } catch (const std::exception&) {
            return false;  // who asked asks again where errors are told
        }
        return shared::are_finite(rows, sentences * std::size_t(encoder.dimension()));
    }

    Array table_;  // the encoder reads it as long as it lives
    std::unique_ptr<Encoder> encoder_;
};

std::vector<std::string> level_names() {
    std::vector<std::string> names;
    for (const Level& level : levels()) names.push_back(level.name);
    return names;
}

NB_MODULE(_engine, module) {
    nb::set_leak_warnings(false);  // a process may end while an encoder serves
    nb::exception<Interrupted>(module, "Interrupted");
    module.def("levels", &level_names);
    module.def(
        "peak",
        [](const std::string& level, const std::string& precision) {
            const Level& chosen = level_named(level);
            const auto of = named<Precision>("precision", precision_names, precision);
            const nb::gil_scoped_release release;
            return operations_per_s(chosen, of);
        },
        nb::kw_only(), "level"_a = "auto", "precision"_a = "float32");
    nb::class_<PythonEncoder>(module, "Encoder")
        .def(nb::init<Array, const std::vector<nb::dict>&, const std::string&, const std::string&,
                      const std::optional<nb::dict>&, const std::optional<nb::dict>&, const std::optional<nb::dict>&,
                      const std::string&, const std::string&, std::optional<std::int64_t>, std::optional<std::int64_t>,
                      std::int64_t>(),
             "table"_a, "layers"_a, nb::kw_only(), "cell"_a = "lstm", "pooling"_a = "final_states",
             "input_projection"_a = nb::none(), "attention"_a = nb::none(), "head"_a = nb::none(),
             "precision"_a = "float32", "level"_a = "auto", "table_rows"_a = nb::none(), "slots"_a = nb::none(),
             "threads"_a = 1)
        .def("run", &PythonEncoder::run, "token_ids"_a, "offsets"_a, nb::kw_only(), "threads"_a = nb::none())
        .def("share", &PythonEncoder::share)
        .def("stop", [](PythonEncoder& self) { self.encoder().stop(); })
        .def_prop_ro("level", [](PythonEncoder& self) { return self.encoder().shape().level->name; })
        .def_prop_ro("precision",
                     [](PythonEncoder& self) { return precision_names[int(self.encoder().shape().precision)]; })
        .def_prop_ro("hidden", [](PythonEncoder& self) { return self.encoder().shape().top().hidden; })
        .def_prop_ro("dimension", [](PythonEncoder& self) { return self.encoder().dimension(); })
        .def_prop_ro("layers", [](PythonEncoder& self) { return self.encoder().shape().layers.size(); })
        .def_prop_ro("folded_rows", [](PythonEncoder& self) { return self.encoder().folded_rows(); })
        .def_prop_ro("bytes", [](PythonEncoder& self) { return self.encoder().bytes(); });
}

}  // namespace
}  // namespace bothends
