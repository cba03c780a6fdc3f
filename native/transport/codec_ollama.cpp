#include "codec_ollama.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "clock.hpp"
#include "json_body.hpp"
#include "json_number.hpp"
#include "option_values.hpp"
#include "shape.hpp"

namespace transport {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view latest_tag = ":latest";  // of Ollama's names that name no other version
constexpr std::size_t max_passed_over = 64;        // members of `options`; Python counts more of them

enum class OllamaMember { model, options, keep_alive, texts, truncate, truncation };
constexpr std::array embed_members{"model"sv, "options"sv, "keep_alive"sv, "input"sv, "truncate"sv, "truncation"sv};
constexpr std::array embeddings_members{"model"sv, "options"sv, "keep_alive"sv, "prompt"sv};

/// Returns whether `options` can be ignored as Python ignores them: there are few, and none is a list or an object.
bool are_passed_over(yyjson_val* options) {
    if (yyjson_is_null(options)) return true;
    if (!yyjson_is_obj(options) || yyjson_obj_size(options) > max_passed_over) return false;
    std::size_t index, size;
    yyjson_val *name, *value;
    yyjson_obj_foreach(options, index, size, name, value) {
        if (yyjson_is_ctn(value)) return false;
    }
    return true;
}

/// What a request says beside its texts.
struct Asked {
    std::string_view model;
    std::optional<Truncation> truncate, truncation;  // by Ollama's word, and by ours, which comes before it
};

bool read_truncate(yyjson_val* value, Asked& asked) {
    if (yyjson_is_bool(value)) asked.truncate = yyjson_is_true(value) ? Truncation::start : Truncation::error;
    return yyjson_is_bool(value) || yyjson_is_null(value);
}

/// Parses a member other than the texts.
bool read_ollama_member(OllamaMember member, yyjson_val* value, Asked& asked) {
    switch (member) {
        case OllamaMember::model:
            asked.model = json::text_of(value);
            return yyjson_is_null(value) || (yyjson_is_str(value) && !asked.model.empty());  // "" is no name
        case OllamaMember::options: return are_passed_over(value);
        case OllamaMember::keep_alive: return yyjson_is_num(value) || yyjson_is_str(value) || yyjson_is_null(value);
        case OllamaMember::truncate: return read_truncate(value, asked);
        case OllamaMember::truncation:
            return yyjson_is_null(value) || set(json::value_of(value), asked.truncation.emplace());
        case OllamaMember::texts: break;
    }
    return false;
}

/// Appends the numbers of a row.
void append_row(const Request& request, const Row& row, std::string& response) {
    json::append_numbers(response, shaped({row.numbers, row.count}, request.options));
}

}  // namespace

bool OllamaCodec::choose(std::string_view name, Request& request) const {
    if (!json::is_written_as_it_is(name)) return false;  // it is a part of the response
    const bool is_tagged = name.ends_with(latest_tag);
    if (is_tagged) name.remove_suffix(latest_tag.size());
    return !(is_tagged && name.empty()) && models_.choose(name, request);
}

bool OllamaEmbedCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    yyjson_val* const body = open(content, request);
    Asked asked;
    const auto read = [&](std::size_t index, yyjson_val* value) {
        const auto member = OllamaMember(index);
        if (member == OllamaMember::texts) return json::read_inputs(value, max_sentences, request.sentences);
        return read_ollama_member(member, value, asked);
    };
    const auto are_there = json::read_members(body, embed_members, api::ollama, request.options, read);
    if (!are_there || !(*are_there)[std::size_t(OllamaMember::texts)]) return false;
    request.options.truncation = asked.truncation.value_or(asked.truncate.value_or(request.options.truncation));
    // Python answers one empty text without an embedding, and takes nothing of the caller's share.
    const bool asks_for_nothing = request.sentences.size() == 1 && request.sentences[0].empty();
    return !asks_for_nothing && choose(asked.model, request);
}

void OllamaEmbedCodec::begin(const Request& request, std::string& response) const {
    const std::string_view asked = json::text_of(yyjson_obj_get(root_of(request), "model"));
    response.append(R"({"model":)");
    if (asked.empty()) response.append(models_.of(request).shown);
    else response.append("\"").append(asked).append("\"");
    response.append(R"(,"embeddings":[)");
}

void OllamaEmbedCodec::append(const Request& request, const Row& row, std::string& response) const {
    if (row.index > 0) response.push_back(',');
    append_row(request, row, response);
}

void OllamaEmbedCodec::end(const Request& request, std::span<const Reading> readings, std::string& response) const {
    std::size_t tokens = 0;
    for (const Reading& reading : readings) tokens += reading.tokens;
    response.append(R"(],"total_duration":)");
    json::append_count(response, std::size_t(std::max(0.0, now() - request.arrived) * 1e9));
    response.append(R"(,"load_duration":0,"prompt_eval_count":)");
    json::append_count(response, tokens);
    response.push_back('}');
}

bool OllamaEmbeddingsCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    yyjson_val* const body = open(content, request);
    request.options.is_normalized = false;
    Asked asked;
    const auto read = [&](std::size_t index, yyjson_val* value) {
        const auto member = OllamaMember(index);
        if (member != OllamaMember::texts) return read_ollama_member(member, value, asked);
        const std::string_view prompt = json::text_of(value);
        if (!prompt.empty()) request.sentences.push_back(prompt);
        return !prompt.empty();  // likewise
    };
    const auto are_there = json::read_members(body, embeddings_members, api::none, request.options, read);
    return are_there && request.sentences.size() == 1 && max_sentences > 0 && choose(asked.model, request);
}

void OllamaEmbeddingsCodec::begin(const Request&, std::string& response) const { response.append(R"({"embedding":)"); }

void OllamaEmbeddingsCodec::append(const Request& request, const Row& row, std::string& response) const {
    append_row(request, row, response);
}

void OllamaEmbeddingsCodec::end(const Request&, std::span<const Reading>, std::string& response) const {
    response.push_back('}');
}

}  // namespace transport
