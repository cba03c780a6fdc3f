#include "codec_infer.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "codec_infer_fields.hpp"
#include "protobuf.hpp"
#include "shape.hpp"

namespace transport::infer {
namespace {

static_assert(std::endian::native == std::endian::little);  // as tensors' numbers are

// Numbers of a response's fields, and of one that describes a tensor.
namespace field {
constexpr unsigned model_name = 1, model_version = 2, id = 3, outputs = 5, raw_contents = 6;
constexpr unsigned tensor_name = 1, tensor_datatype = 2, tensor_shape = 3;
}  // namespace field

/// Parts of a request that its response repeats.
struct Echoed {
    std::string id;
    Wanted wanted;
};

const Echoed& asked_of(const Request& request) { return *static_cast<const Echoed*>(request.kept.get()); }

/// Returns how many numbers a tensor has for each text.
std::size_t width_of(std::size_t tensor, std::size_t numbers) { return tensor == embedding ? numbers : 1; }

/// Appends a tensor's description to a response.
void describe(std::string& response, std::size_t tensor, std::size_t sentences, std::size_t numbers) {
    std::string shape, bytes;
    append_varint(shape, sentences);
    if (tensor == embedding) append_varint(shape, numbers);
    append_bytes(bytes, field::tensor_name, described[tensor].name);
    append_bytes(bytes, field::tensor_datatype, described[tensor].datatype);
    append_bytes(bytes, field::tensor_shape, shape);
    append_bytes(response, field::outputs, bytes);
}

template <typename Number>
void put(char* tensor, std::size_t index, Number number) {
    std::memcpy(tensor + index * sizeof number, &number, sizeof number);
}

}  // namespace

std::optional<std::size_t> InferCodec::count(std::string_view content, std::size_t max_sentences) const {
    Fields fields;
    Request request;
    if (!fields.read(content) || !choose(fields, max_sentences, request)) return std::nullopt;
    return fields.count();
}

bool InferCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    request = {};
    Fields fields;
    if (!fields.read(content) || !choose(fields, max_sentences, request)) return false;
    if (!fields.read_texts(request.sentences)) return false;
    request.kept = std::make_shared<const Echoed>(Echoed{std::string(fields.id()), fields.wanted()});
    return true;
}

/// Sets a request's options and model; returns false for an unknown model, or one without the requested size.
bool InferCodec::choose(const Fields& fields, std::size_t max_sentences, Request& request) const {
    request.options = fields.options();
    if (fields.count() > max_sentences || !models_.choose(fields.model_name(), request)) return false;
    return fields.model_version().empty() || fields.model_version() == models_.of(request).version;
}

// Fields go by their numbers, and those that are empty are left out, as protobuf's own serializers have it.
void InferCodec::begin(const Request& request, std::string& response) const {
    const auto& [its_id, wanted] = asked_of(request);
    const std::size_t sentences = request.sentences.size(), size = models_.numbers_of(request);
    const NamedModel& model = models_.of(request);
    append_bytes(response, field::model_name, model.shown);
    if (!model.version.empty()) append_bytes(response, field::model_version, model.version);
    if (!its_id.empty()) append_bytes(response, field::id, its_id);
    for (const std::size_t tensor : wanted.all()) describe(response, tensor, sentences, size);
    for (const std::size_t tensor : wanted.all()) {
        const std::size_t bytes = sentences * width_of(tensor, size) * described[tensor].bytes;
        append_varint(response, field::raw_contents << 3 | 2);
        append_varint(response, bytes);
        response.append(bytes, '\0');
    }
}

void InferCodec::append(const Request& request, const Row& row, std::string& response) const {
    const auto wanted = asked_of(request).wanted.all();
    const std::size_t sentences = request.sentences.size(), size = models_.numbers_of(request);
    char* end = response.data() + response.size();  // of a tensor, the last one first
    for (std::size_t index = wanted.size(); index-- > 0;) {
        const std::size_t width = width_of(wanted[index], size) * described[wanted[index]].bytes;
        const std::size_t bytes = sentences * width;
        char* const tensor = end - bytes;
        end = tensor - size_of_varint(bytes) - 1;
        if (wanted[index] == token_count) put(tensor, row.index, std::int32_t(row.reading.tokens));
        if (wanted[index] == truncated) put(tensor, row.index, char(row.reading.is_truncated));
        if (wanted[index] != embedding) continue;
        const std::span<const float> shown = shaped({row.numbers, row.count}, request.options);
        std::memcpy(tensor + row.index * width, shown.data(), width);
    }
}

}  // namespace transport::infer
