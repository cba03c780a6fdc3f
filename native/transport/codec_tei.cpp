#include "codec_tei.hpp"

#include <array>
#include <memory>

#include "json_body.hpp"
#include "json_number.hpp"
#include "option_values.hpp"
#include "shape.hpp"

namespace transport {
namespace {

using namespace std::string_view_literals;

enum class TeiMember { inputs, truncation, truncate, truncation_direction, prompt_name };
constexpr std::array tei_members{"inputs"sv, "truncation"sv, "truncate"sv, "truncation_direction"sv, "prompt_name"sv};
constexpr json::Words<Truncation, 4> kept_words{
    {{"right", Truncation::start}, {"Right", Truncation::start}, {"left", Truncation::end}, {"Left", Truncation::end}}};

/// Members of a request about texts that are too long.
struct Cut {
    std::optional<Truncation> said;  // by our word, which comes before theirs
    std::optional<bool> is_asked_for;
    Truncation kept = Truncation::start;

    /// Returns what becomes of them; `usual` if it isn't said.
    Truncation truncation(Truncation usual) const {
        if (said) return *said;
        if (is_asked_for.value_or(usual == Truncation::start)) return kept;
        return is_asked_for ? Truncation::error : usual;
    }
};

bool read_tei_member(TeiMember member, yyjson_val* value, std::size_t most, Cut& cut, Request& request) {
    switch (member) {
        case TeiMember::inputs: return json::read_inputs(value, most, request.sentences);
        case TeiMember::truncation: return yyjson_is_null(value) || set(json::value_of(value), cut.said.emplace());
        case TeiMember::truncate:
            if (yyjson_is_bool(value)) cut.is_asked_for = yyjson_is_true(value);
            return yyjson_is_bool(value) || yyjson_is_null(value);
        case TeiMember::truncation_direction:
            return yyjson_is_str(value) && json::read_word(value, kept_words, cut.kept);
        case TeiMember::prompt_name: return yyjson_is_null(value);
    }
    return false;
}

}  // namespace

bool TeiCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    yyjson_val* const body = open(content, request);
    Cut cut;
    const auto read = [&](std::size_t member, yyjson_val* value) {
        return read_tei_member(TeiMember(member), value, max_sentences, cut, request);
    };
    const auto are_there = json::read_members(body, tei_members, api::tei, request.options, read);
    request.options.truncation = cut.truncation(request.options.truncation);
    return are_there && (*are_there)[std::size_t(TeiMember::inputs)] && models_.choose("", request);
}

void TeiCodec::begin(const Request&, std::string& response) const { response.push_back('['); }

void TeiCodec::append(const Request& request, const Row& row, std::string& response) const {
    if (row.index > 0) response.push_back(',');
    json::append_numbers(response, shaped({row.numbers, row.count}, request.options));
}

void TeiCodec::end(const Request&, std::span<const Reading>, std::string& response) const { response.push_back(']'); }

}  // namespace transport
