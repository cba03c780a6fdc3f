// Fuzzes codecs by libFuzzer: a request's bytes are anybody's, and so are the texts in it. What is read stays within
// its bounds, and what is written of it is what a client can read.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <yyjson.h>

#include "../transport/codec_embed.hpp"
#include "../transport/codec_openai.hpp"

namespace {

using namespace transport;

constexpr std::size_t dimension = 8;
const EmbedCodec embed("1", {4, dimension}, {3, "nothing", "\x08\x03"});
const EmbedStreamCodec embed_stream("1", {4, dimension});
const OpenAICodec openai({{"m", "n\n"}, "\"m\"", "\"1\"", {4, dimension}, Truncation::error});

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

/// Reads an embedding for each sentence, each of the size that its tag and length say; in an item, where there are any.
void check_embed(std::string_view response, std::size_t sentences, bool has_items) {
    std::size_t found = 0;
    for (; !response.empty() && response.front() == 0x0a; ++found) {
        const std::size_t size = std::uint8_t(response.at(1));
        check(size < 0x80);
        const std::string_view content = response.substr(2, size);
        check(!has_items || (content.at(0) == 0x0a && std::uint8_t(content.at(1)) == size - 2));
        response = response.substr(2).substr(size);
    }
    check(found == sentences && response ==
                                    "\x12\x01"
                                    "1");
}

void check_openai(std::string_view response, std::size_t sentences) {
    yyjson_doc* const document = yyjson_read(response.data(), response.size(), YYJSON_READ_NOFLAG);
    check(document);
    check(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(document), "data")) == sentences);
    yyjson_doc_free(document);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::size_t most = data[0] % 4;
    const bool is_json = data[0] & 4, has_items = data[0] & 8;
    const Codec& codec = is_json ? static_cast<const Codec&>(openai) : has_items ? embed_stream : embed;
    const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
    Request read;
    if (!codec.read(content, most, read)) return 0;
    check(codec.count(content, most).has_value());
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
    if (is_json) check_openai(response, readings.size());
    else check_embed(response, readings.size(), has_items);
    return 0;
}
