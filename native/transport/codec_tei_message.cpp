#include "codec_tei_message.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <vector>

#include "protobuf.hpp"
#include "shape.hpp"

namespace transport {
namespace {

static_assert(std::endian::native == std::endian::little);  // as protobuf's numbers are

// Tags of a request's fields, and numbers of a response's and of its cost's.
constexpr char inputs_tag = 0x0a, truncate_tag = 0x10, normalize_tag = 0x18, direction_tag = 0x20;
constexpr unsigned row_field = 1, cost_field = 2, characters_field = 1, tokens_field = 2;

/// Fields of a message. Only options may occur twice, and then the last one counts.
struct TeiFields {
    std::optional<std::string_view> text;
    bool is_cut = false, is_normalized = false, keeps_end = false;

    Options options() const {
        return {.truncation = !is_cut     ? Truncation::error
                              : keeps_end ? Truncation::end
                                          : Truncation::start,
                .is_normalized = is_normalized};
    }
};

bool set_tei_option(char tag, std::size_t number, TeiFields& fields) {
    if (tag == truncate_tag) fields.is_cut = number != 0;
    else if (tag == normalize_tag) fields.is_normalized = number != 0;
    else if (tag == direction_tag && number < 2) fields.keeps_end = number == 1;
    else return false;
    return true;
}

std::optional<TeiFields> read_tei_fields(std::string_view message) {
    TeiFields fields;
    while (!message.empty()) {
        const char tag = message.front();
        message.remove_prefix(1);
        if (tag == inputs_tag) {
            if (fields.text) return std::nullopt;
            fields.text = take_bytes(message);
            if (!fields.text) return std::nullopt;
            continue;
        }
        const auto number = take_number(message);
        if (!number || !set_tei_option(tag, *number, fields)) return std::nullopt;
    }
    return fields.text ? std::optional(fields) : std::nullopt;
}

/// Counts the characters of a UTF-8 text: all bytes except continuation bytes.
std::size_t characters_of(std::string_view text) {
    return std::size_t(std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; }));
}

}  // namespace

std::optional<std::size_t> TeiMessageCodec::count(std::string_view content, std::size_t max_sentences) const {
    return max_sentences > 0 && read_tei_fields(content) ? std::optional<std::size_t>(1) : std::nullopt;
}

bool TeiMessageCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    request = {};
    const auto fields = read_tei_fields(content);
    if (!fields || max_sentences == 0) return false;
    request.sentences.push_back(*fields->text);
    request.options = fields->options();
    request.kept = std::make_shared<const std::size_t>(characters_of(*fields->text));
    return models_.choose("", request);
}

// Fields go by their numbers, as protobuf's own serializers have it.
void TeiMessageCodec::append(const Request& request, const Row& row, std::string& response) const {
    const std::span<const float> numbers = shaped({row.numbers, row.count}, request.options);
    append_bytes(response, row_field, {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()});
    std::string cost;
    append_number(cost, characters_field, *static_cast<const std::size_t*>(request.kept.get()));
    append_number(cost, tokens_field, row.reading.tokens);
    append_bytes(response, cost_field, cost);
}

}  // namespace transport
