#include "codec_embed.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "option_values.hpp"
#include "protobuf.hpp"
#include "shape.hpp"

namespace transport {
namespace {

static_assert(std::endian::native == std::endian::little);  // as protobuf's numbers are

// Tags of fields: their numbers, and how they are written.
namespace field {
constexpr char sentences = 0x0a, model = 0x32;  // a request's
}  // namespace field
constexpr char embeddings = 0x0a, model_version = 0x12;                   // a response's
constexpr unsigned items = 1;                                             // the number of a stream's response's
constexpr char token_count = 0x10, truncated = 0x18, scale_field = 0x35;  // an embedding's
constexpr std::array<char, encodings> values_field{0x0a, 0x22, 0x2a, 0x3a};  // by its encoding; JSON's have none

/// Parses all fields, in any order, into `request`; for options and the model's name, the last one counts. Passes
/// sentences to `take`, which returns whether to go on. Returns false also for an unknown model.
template <typename Take>
bool read_fields(std::string_view content, const NamedModels& models, Request& request, const Take& take) {
    std::string_view name;
    while (!content.empty()) {
        const char tag = content.front();
        content.remove_prefix(1);
        if (tag == field::sentences || tag == field::model) {
            const auto bytes = take_bytes(content);
            if (!bytes || (tag == field::sentences && !take(*bytes))) return false;
            if (tag == field::model) name = *bytes;
        } else if (!take_option(tag, content, request.options)) {
            return false;
        }
    }
    return models.choose(name, request);
}

std::size_t bytes_of(Encoding encoding, std::size_t count) {
    switch (encoding) {
        case Encoding::float16: return 2 * count;
        case Encoding::int8: return count;
        case Encoding::sign_bits: return (count + 7) / 8;
        default: return sizeof(float) * count;
    }
}

void append_values(std::string& response, Encoding encoding, std::span<const float> numbers, float scale) {
    const std::size_t bytes = bytes_of(encoding, numbers.size());
    response.push_back(values_field[std::size_t(encoding)]);
    append_varint(response, bytes);
    switch (encoding) {
        case Encoding::float16: return append_float16(response, numbers);
        case Encoding::int8: return append_int8(response, numbers, scale);
        case Encoding::sign_bits: return append_sign_bits(response, numbers);
        default: response.append(reinterpret_cast<const char*>(numbers.data()), bytes);
    }
}

}  // namespace

std::optional<std::size_t> EmbedCodec::count(std::string_view content, std::size_t max_sentences) const {
    Request request;
    std::size_t found = 0;
    const auto take = [&](std::string_view) { return ++found <= max_sentences; };
    return read_fields(content, models_, request, take) ? std::optional(found) : std::nullopt;
}

bool EmbedCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    request = {};
    const auto take = [&](std::string_view sentence) {
        request.sentences.push_back(sentence);
        return request.sentences.size() <= max_sentences;
    };
    if (!read_fields(content, models_, request, take)) return false;
    if (request.sentences.empty()) request.error = &empty_;
    return true;
}

void EmbedCodec::begin(const Request&, std::string&) const {}

// Fields go by their numbers, and those that are 0 are left out, as protobuf's own serializers have it.
void EmbedCodec::append(const Request& request, const Row& row, std::string& response) const {
    const std::span<const float> numbers = shaped({row.numbers, row.count}, request.options);
    const Encoding encoding = request.options.encoding;
    const float scale = encoding == Encoding::int8 ? scale_of(numbers) : 0;
    const auto [tokens, is_truncated] = row.reading;
    const std::size_t bytes = bytes_of(encoding, numbers.size());
    const std::size_t others = (is_truncated ? 2 : 0) + (scale > 0 ? 1 + sizeof(float) : 0);
    response.push_back(embeddings);
    append_varint(response, 1 + size_of_varint(bytes) + bytes + 1 + size_of_varint(tokens) + others);
    if (encoding == Encoding::float32) append_values(response, encoding, numbers, scale);
    response.push_back(token_count);
    append_varint(response, tokens);
    if (is_truncated) response.append({truncated, 1});
    if (encoding != Encoding::float32) append_values(response, encoding, numbers, scale);
    if (scale == 0) return;
    response.push_back(scale_field);
    response.append(reinterpret_cast<const char*>(&scale), sizeof scale);
}

void EmbedCodec::end(const Request& request, std::span<const Reading>, std::string& response) const {
    const std::string& version = models_.of(request).version;
    if (version.empty()) return;
    response.push_back(model_version);
    append_varint(response, version.size());
    response.append(version);
}

bool EmbedStreamCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    return EmbedCodec::read(content, max_sentences, request) && !request.error;
}

void EmbedStreamCodec::append(const Request& request, const Row& row, std::string& response) const {
    std::string item;  // its embedding has the number that embeddings have in the other response
    EmbedCodec::append(request, row, item);
    append_bytes(response, items, item);
}

}  // namespace transport
