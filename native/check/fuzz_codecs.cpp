// Fuzzes codecs by libFuzzer: a request's bytes are anybody's, and so are the texts in it. What is read stays within
// its bounds, and what is written of it is what a client can read.
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yyjson.h>

#include "../transport/codec_embed.hpp"
#include "../transport/codec_infer.hpp"
#include "../transport/codec_infer_json.hpp"
#include "../transport/codec_ollama.hpp"
#include "../transport/codec_openai.hpp"
#include "../transport/codec_tei.hpp"
#include "../transport/codec_tei_message.hpp"
#include "../transport/protobuf.hpp"

namespace {

using namespace transport;

constexpr std::size_t dimension = 8;
const NamedModels models({{{"", "m"}, "m", "1", dimension, {4, dimension}}, {{"o"}, "m", "1", dimension, {dimension}}});
const NamedModels in_json({{{"m", "n\n"}, "\"m\"", "\"1\"", dimension, {4, dimension}}});
const EmbedCodec embed(models, {3, "nothing", "\x08\x03"});
const EmbedStreamCodec embed_stream(models);
const InferCodec infer(models);
const InferJsonCodec infer_json(NamedModels({{{""}, "\"m\"", "\"1\"", dimension, {4, dimension}}}));
const OllamaEmbedCodec ollama_embed(in_json, Truncation::start);
const OllamaEmbeddingsCodec ollama_embeddings(in_json, Truncation::start);
const OpenAICodec openai(in_json, Truncation::error);
const TeiCodec tei(models, Truncation::error);
const TeiMessageCodec tei_message(models);

void check(bool holds) {
    if (!holds) abort();
}

/// Returns finite numbers made of `bytes`.
std::vector<float> numbers_of(std::string_view bytes) {
    std::vector<float> numbers(dimension);
    std::memcpy(numbers.data(), bytes.data(), std::min(bytes.size(), dimension * sizeof(float)));
    for (float& number : numbers)
        if (!std::isfinite(number)) number = 0;
    return numbers;
}

/// Takes the first field off `from`; returns its number and its content, which must be bytes.
std::pair<unsigned, std::string_view> take_field(std::string_view& from) {
    check(!from.empty() && (from.front() & 7) == 2);
    const unsigned field = unsigned(from.front()) >> 3;
    from.remove_prefix(1);
    const auto bytes = take_bytes(from);
    check(bytes.has_value());
    return {field, *bytes};
}

/// Checks that a response holds an embedding for each sentence (inside items if `has_items`) and the model's version.
template <bool has_items>
void check_embed(std::string_view response, std::size_t sentences) {
    for (std::size_t found = 0; found < sentences; ++found) {
        auto [field, bytes] = take_field(response);
        check(field == 1);
        check(!has_items || (take_field(bytes).first == 1 && bytes.empty()));
    }
    check(take_field(response) == std::pair(2U, std::string_view("1")) && response.empty());
}

/// Returns the length of a JSON list, which may be a member of an object.
std::size_t size_of_list(std::string_view response, const char* member) {
    yyjson_doc* const document = yyjson_read(response.data(), response.size(), YYJSON_READ_NOFLAG);
    check(document);
    yyjson_val* const root = yyjson_doc_get_root(document);
    yyjson_val* const list = yyjson_is_arr(root) ? root : yyjson_obj_get(root, member);
    check(yyjson_is_arr(list));
    const std::size_t size = yyjson_arr_size(list);
    yyjson_doc_free(document);
    return size;
}

void check_json(std::string_view response, std::size_t sentences) {
    check(size_of_list(response, "data") == sentences);
}

void check_ollama_embed(std::string_view response, std::size_t sentences) {
    check(size_of_list(response, "embeddings") == sentences);
}

void check_ollama_embeddings(std::string_view response, std::size_t sentences) {
    check(sentences == 1 && size_of_list(response, "embedding") == dimension);
}

/// Checks that a response holds the model's name and version, an id, and the described tensors with numbers for each
/// sentence.
void check_infer(std::string_view response, std::size_t sentences) {
    check(take_field(response) == std::pair(1U, std::string_view("m")));
    check(take_field(response) == std::pair(2U, std::string_view("1")));
    std::size_t described = 0, found = 0;
    while (!response.empty()) {
        const auto [field, bytes] = take_field(response);
        check(field == 3 || field == 5 || field == 6);
        described += field == 5;
        found += field == 6;
        check(field != 6 || (!bytes.empty() && bytes.size() % sentences == 0));
    }
    check(found == described && found >= 1 && found <= 3);
}

/// Checks that a response in JSON holds one to three tensors with numbers for each sentence.
void check_infer_json(std::string_view response, std::size_t sentences) {
    yyjson_doc* const document = yyjson_read(response.data(), response.size(), YYJSON_READ_NOFLAG);
    check(document);
    yyjson_val* const outputs = yyjson_obj_get(yyjson_doc_get_root(document), "outputs");
    check(yyjson_arr_size(outputs) >= 1 && yyjson_arr_size(outputs) <= 3);
    std::size_t index, size;
    yyjson_val* tensor;
    yyjson_arr_foreach(outputs, index, size, tensor) {
        const std::size_t numbers = yyjson_arr_size(yyjson_obj_get(tensor, "data"));
        check(numbers > 0 && numbers % sentences == 0);
    }
    yyjson_doc_free(document);
}

/// Checks that a response holds one row, and what it cost.
void check_tei_message(std::string_view response, std::size_t sentences) {
    const auto [row_field, row] = take_field(response);
    check(sentences == 1 && row_field == 1 && row.size() == dimension * sizeof(float));
    check(take_field(response).first == 2 && response.empty());
}

const std::array<const Codec*, 9> codecs{&embed,        &embed_stream,      &openai,    &infer, &tei, &tei_message,
                                         &ollama_embed, &ollama_embeddings, &infer_json};
constexpr std::array checks{check_embed<false>, check_embed<true>, check_json,         check_infer,
                            check_json,         check_tei_message, check_ollama_embed, check_ollama_embeddings,
                            check_infer_json};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::size_t most = data[0] % 4;
    const std::size_t kind = data[0] / 4 % codecs.size();
    const Codec& codec = *codecs[kind];
    const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
    Request read;
    if (!codec.read(content, most, read)) return 0;
    // Before JSON is parsed, a text that has marks of a list may seem to be several.
    check(dynamic_cast<const JsonCodec*>(&codec) || codec.count(content, most).has_value());
    const Request request = std::move(read);
    check(request.sentences.size() <= most && request.sentences.empty() == (request.error != nullptr));
    if (request.error) return 0;
    std::string response;
    std::vector<Reading> readings;
    codec.begin(request, response);
    for (const std::string_view sentence : request.sentences) {
        const std::vector<float> numbers = numbers_of(sentence);
        readings.push_back({sentence.size() + 1, sentence.size() % 2 > 0});
        codec.append(request, {numbers.data(), dimension, readings.size() - 1, readings.back()}, response);
    }
    codec.end(request, readings, response);
    checks[kind](response, readings.size());
    return 0;
}
