// Reads an encoder's weights from Python's arrays, each of which must have the shape that follows from those before it.
// Everything wrong is a ValueError that names it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "shape.hpp"
#include "weights.hpp"

namespace bothends {

// Throws std::invalid_argument for a value below `least` or above `most`.
int within(const char* name, std::int64_t value, std::int64_t least, std::int64_t most);

/// Weights in arrays that Python has handed over, which it holds.
class GivenWeights {
public:
    // Adds the layers to `shape`, of which all else is known, and their directions.
    GivenWeights(Shape& shape, const std::vector<nb::dict>& layers, const std::optional<nb::dict>& input_projection,
                 const std::optional<nb::dict>& attention, const std::optional<nb::dict>& head);

    const EncoderWeights& weights() const { return weights_; }

private:
    using Sizes = std::initializer_list<std::int64_t>;
    /// A dictionary, and how it is called.
    struct Given {
        const nb::dict& arrays;
        std::string name;
        bool has(const char* key) const { return arrays.contains(key); }
    };

    Array array(const Given& given, const char* key) const;
    const float* numbers(const Given& given, const char* key, Sizes sizes);
    std::int64_t columns(const Given& given, const char* key, const char* what);
    // `bias` is nullptr for a layer without.
    LinearWeights linear(const Given& given, const char* matrix, const char* bias, std::int64_t inputs);
    std::int64_t add_layer(Shape& shape, const Given& given, std::int64_t inputs);
    void add_head(const Given& given, std::int64_t pooled);

    std::vector<Array> held_;
    EncoderWeights weights_;
};

}  // namespace bothends
