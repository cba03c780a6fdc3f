#include "codec_openai.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "json_body.hpp"
#include "json_number.hpp"
#include "option_values.hpp"
#include "shape.hpp"

namespace transport {
namespace {

using namespace std::string_view_literals;

static_assert(std::endian::native == std::endian::little);  // as the bytes in base64 are

enum class Member { input, model, encoding_format, user };
constexpr std::array members{"input"sv, "model"sv, "encoding_format"sv, "user"sv};
constexpr json::Words<Encoding, 2> format_words{{{"float", Encoding::text}, {"base64", Encoding::base64}}};

/// Parses a member; stores the model's name in `model`.
bool read_member(Member member, yyjson_val* value, std::size_t most, std::string_view& model, Request& request) {
    switch (member) {
        case Member::input: return json::read_inputs(value, most, request.sentences);
        case Member::model:
            model = json::text_of(value);
            return yyjson_is_null(value) || (yyjson_is_str(value) && !model.empty());  // "" is no name
        case Member::encoding_format: return json::read_word(value, format_words, request.options.encoding);
        case Member::user: return yyjson_is_str(value) || yyjson_is_null(value);
    }
    return false;
}

void append_base64(std::string& json, std::span<const float> numbers) {
    const std::size_t bytes = numbers.size_bytes(), before = json.size() + 1;
    json.append("\"").append(4 * ((bytes + 2) / 3) + 1, '"');  // the encoder writes a 0 behind, where the mark comes
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(&json[before]),
                    reinterpret_cast<const unsigned char*>(numbers.data()), int(bytes));
    json.back() = '"';
}

}  // namespace

bool OpenAICodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    yyjson_val* const body = open(content, request);
    std::string_view model;
    const auto read = [&](std::size_t member, yyjson_val* value) {
        return read_member(Member(member), value, max_sentences, model, request);
    };
    const auto are_there = json::read_members(body, members, api::openai, request.options, read);
    return are_there && (*are_there)[std::size_t(Member::input)] && models_.choose(model, request);
}

void OpenAICodec::begin(const Request&, std::string& response) const {
    response.append(R"({"object":"list","data":[)");
}

void OpenAICodec::append(const Request& request, const Row& row, std::string& response) const {
    const std::span<const float> numbers = shaped({row.numbers, row.count}, request.options);
    if (row.index > 0) response.push_back(',');
    response.append(R"({"object":"embedding","index":)");
    json::append_count(response, row.index);
    response.append(R"(,"embedding":)");
    if (request.options.encoding == Encoding::base64) append_base64(response, numbers);
    else json::append_numbers(response, numbers);
    response.push_back('}');
}

void OpenAICodec::end(const Request& request, std::span<const Reading> readings, std::string& response) const {
    std::size_t tokens = 0;
    for (const Reading& reading : readings) tokens += reading.tokens;
    const NamedModel& model = models_.of(request);
    response.append(R"(],"model":)").append(model.shown).append(R"(,"model_version":)").append(model.version);
    response.append(R"(,"usage":{"prompt_tokens":)");
    json::append_count(response, tokens);
    response.append(R"(,"total_tokens":)");
    json::append_count(response, tokens);
    response.append("}}");
}

}  // namespace transport
