#include "given_weights.hpp"

#include <nanobind/stl/string.h>

#include <stdexcept>

namespace bothends {
namespace {

constexpr int max_hidden = 1 << 14, max_layers = 8, max_outputs = 1 << 20;

Then then_named(const std::string& name) {
    constexpr const char* names[] = {"none", "tanh", "relu", "layer_norm"};
    for (int then = 0; then < 4; ++then)
        if (name == names[then]) return static_cast<Then>(then);
    throw std::invalid_argument("head[\"then\"]: unknown \"" + name + "\"; choose none, tanh, relu or layer_norm");
}

}  // namespace

int within(const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value < least || value > most)
        throw std::invalid_argument(std::string(name) + " is " + std::to_string(value) + "; expected " +
                                    std::to_string(least) + " to " + std::to_string(most));
    return static_cast<int>(value);
}

GivenWeights::GivenWeights(Shape& shape, const std::vector<nb::dict>& layers,
                           const std::optional<nb::dict>& input_projection, const std::optional<nb::dict>& attention,
                           const std::optional<nb::dict>& head) {
    within("the number of layers", std::int64_t(layers.size()), 1, max_layers);
    std::int64_t width = shape.embedding;
    if (input_projection) {
        weights_.input_projection = linear({*input_projection, "input_projection"}, "weight", "bias", width);
        width = weights_.input_projection.outputs;
    }
    for (const nb::dict& layer : layers)
        width = add_layer(shape, {layer, "layers[" + std::to_string(shape.layers.size()) + "]"}, width);
    if (attention.has_value() != (shape.pooling == Pooling::attention))
        throw std::invalid_argument("attention: the pooling of this name has weights, and no other pooling has any");
    width *= shape.pooled_vectors();
    if (attention) {
        const Given given{*attention, "attention"};
        weights_.attention_hidden = linear(given, "hidden", "bias", width);
        weights_.attention_scores = linear(given, "scores", nullptr, weights_.attention_hidden.outputs);
        width *= weights_.attention_scores.outputs;
    }
    if (head) add_head({*head, "head"}, width);
}

Array GivenWeights::array(const Given& given, const char* key) const {
    const std::string name = given.name + "[\"" + key + "\"]";
    if (!given.has(key)) throw std::invalid_argument(name + " is missing");
    Array found;
    if (!nb::try_cast(given.arrays[key], found)) throw std::invalid_argument(name + " is no array");
    return found;
}

const float* GivenWeights::numbers(const Given& given, const char* key, Sizes sizes) {
    held_.push_back(array(given, key));
    return bothends::numbers<float>((given.name + "[\"" + key + "\"]").c_str(), held_.back(), sizes);
}

std::int64_t GivenWeights::columns(const Given& given, const char* key, const char* what) {
    const Array found = array(given, key);
    if (found.ndim() != 2) return 1;  // refused by its shape, when its numbers are read
    return within((given.name + "'s " + what).c_str(), std::int64_t(found.shape(1)), 1, max_outputs);
}

LinearWeights GivenWeights::linear(const Given& given, const char* matrix, const char* bias, std::int64_t inputs) {
    const std::int64_t outputs = columns(given, matrix, "size");
    LinearWeights found;
    found.matrix = numbers(given, matrix, {inputs, outputs});
    if (bias) found.bias = numbers(given, bias, {outputs});
    found.inputs = static_cast<int>(inputs), found.outputs = static_cast<int>(outputs);
    return found;
}

// Returns the numbers of a state, of all directions, as the next layer reads them.
std::int64_t GivenWeights::add_layer(Shape& shape, const Given& given, std::int64_t inputs) {
    const Array r = array(given, "R");
    const bool is_right = r.ndim() == 3;  // else refused below
    if (shape.layers.empty()) shape.directions = is_right && r.shape(0) == 1 ? 1 : max_directions;
    const std::int64_t directions = shape.directions, count = gates_of(shape.cell);
    const std::int64_t hidden = within("hidden", is_right ? std::int64_t(r.shape(2)) : 1, 1, max_hidden);
    const std::int64_t rows = count * hidden;
    const float *of_r = numbers(given, "R", {directions, rows, hidden}),
                *of_w = numbers(given, "W", {directions, rows, inputs}),
                *of_b = given.has("B") ? numbers(given, "B", {directions, 2 * rows}) : nullptr,
                *h_0 = given.has("h_0") ? numbers(given, "h_0", {directions, 1, hidden}) : nullptr,
                *c_0 = given.has("c_0") ? numbers(given, "c_0", {directions, 1, hidden}) : nullptr;
    if (c_0 && shape.cell != Cell::lstm) throw std::invalid_argument(given.name + "[\"c_0\"]: a GRU has no cell");
    const auto own = [](const float* of, std::int64_t size, int direction) { return of ? of + size * direction : of; };
    LayerWeights made;
    for (int direction = 0; direction < directions; ++direction)
        made[direction] = {own(of_w, rows * inputs, direction), own(of_r, rows * hidden, direction),
                           own(of_b, 2 * rows, direction), own(h_0, hidden, direction), own(c_0, hidden, direction)};
    weights_.layers.push_back(made);
    shape.add_layer(static_cast<int>(hidden));
    const bool is_projected = given.has("P"), others_are = !weights_.projections.empty();
    if (shape.layers.size() > 1 && is_projected != others_are)
        throw std::invalid_argument(given.name + "[\"P\"]: either all layers have one or none");
    if (!is_projected) return directions * hidden;
    weights_.projections.push_back(linear(given, "P", nullptr, directions * hidden));
    return weights_.projections.back().outputs;
}

void GivenWeights::add_head(const Given& given, std::int64_t pooled) {
    weights_.head = linear(given, "weight", "bias", pooled);
    if (given.has("then")) weights_.then = then_named(nb::cast<std::string>(given.arrays["then"]));
    if (weights_.then != Then::layer_norm) return;
    weights_.norm_weight = numbers(given, "norm_weight", {weights_.head.outputs});
    weights_.norm_bias = numbers(given, "norm_bias", {weights_.head.outputs});
    weights_.epsilon = nb::cast<float>(given.arrays["epsilon"]);
}

}  // namespace bothends
