#include "codec_infer_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <memory>

#include "json_body.hpp"
#include "json_number.hpp"
#include "option_values.hpp"
#include "shape.hpp"

namespace transport::infer {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view blanks = " \t\r\n";

enum class Member { id, inputs, outputs, parameters };
constexpr std::array members{"id"sv, "inputs"sv, "outputs"sv, "parameters"sv};
enum class InputMember { name, datatype, shape, data, parameters };
constexpr std::array input_members{"name"sv, "datatype"sv, "shape"sv, "data"sv, "parameters"sv};
enum class OutputMember { name, parameters };
constexpr std::array output_members{"name"sv, "parameters"sv};

/// What a request holds beside its texts and options.
struct Asked {
    std::string_view id;
    Wanted wanted;
};

/// An `Asked` with the document that it is a view of.
struct Kept {
    std::shared_ptr<const void> document;
    Asked asked;
};

const Asked& asked_by(const Request& request) { return static_cast<const Kept*>(request.kept.get())->asked; }

/// Reads an object that may hold known members, each at most once.
template <std::size_t count, typename Read>
bool read_object(yyjson_val* object, const std::array<std::string_view, count>& known, Read read) {
    Options none;
    return json::read_members(object, known, api::none, none, read).has_value();
}

bool read_id(yyjson_val* value, std::string_view& id) {
    id = json::text_of(value);
    return yyjson_is_str(value) && id.size() <= max_bytes && is_ascii(id) && json::is_written_as_it_is(id);
}

/// Reads a shape [n] or [n, 1].
bool read_shape(yyjson_val* value, std::size_t& count) {
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) < 1 || yyjson_arr_size(value) > 2) return false;
    yyjson_val *const first = yyjson_arr_get(value, 0), *const second = yyjson_arr_get(value, 1);
    count = yyjson_get_uint(first);
    return yyjson_is_uint(first) && (!second || (yyjson_is_uint(second) && yyjson_get_uint(second) == 1));
}

bool read_text(yyjson_val* value, std::size_t max_count, std::vector<std::string_view>& texts) {
    if (!yyjson_is_str(value) || texts.size() >= max_count) return false;
    texts.push_back(json::text_of(value));
    return true;
}

/// Passes each item of a list to `read`, which returns whether to go on; returns false for anything else.
template <typename Read>
bool read_each(yyjson_val* list, Read read) {
    if (!yyjson_is_arr(list)) return false;
    std::size_t index, size;
    yyjson_val* item;
    yyjson_arr_foreach(list, index, size, item) {
        if (!read(item)) return false;
    }
    return true;
}

/// Reads texts, whether they are in rows of their own or not.
bool read_texts(yyjson_val* list, std::size_t max_count, std::vector<std::string_view>& texts) {
    const auto read = [&](yyjson_val* value) { return read_text(value, max_count, texts); };
    return yyjson_arr_size(list) <= max_count &&
           read_each(list, [&](yyjson_val* row) { return yyjson_is_arr(row) ? read_each(row, read) : read(row); });
}

bool is_empty_object(yyjson_val* value) { return yyjson_is_obj(value) && yyjson_obj_size(value) == 0; }

/// Reads the only input, whose texts are as many as its shape says.
bool read_inputs(yyjson_val* list, std::size_t max_count, std::vector<std::string_view>& texts) {
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) != 1) return false;
    bool has_name = false, has_type = false;
    std::size_t count = 0;
    const auto read = [&](std::size_t member, yyjson_val* value) {
        switch (InputMember(member)) {
            case InputMember::name: return has_name = json::text_of(value) == "text";
            case InputMember::datatype: return has_type = json::text_of(value) == "BYTES";
            case InputMember::shape: return read_shape(value, count);
            case InputMember::data: return read_texts(value, max_count, texts);
            case InputMember::parameters: return is_empty_object(value);
        }
        return false;
    };
    if (!read_object(yyjson_arr_get_first(list), input_members, read) || !has_name || !has_type) return false;
    return !texts.empty() && texts.size() == count;
}

/// Reads a requested tensor, which may say that it isn't to come in binary.
bool read_output(yyjson_val* object, Wanted& wanted) {
    constexpr std::array in_binary{"binary_data"sv};
    bool is_known = false;
    const auto read = [&](std::size_t member, yyjson_val* value) {
        if (OutputMember(member) == OutputMember::name) return is_known = wanted.add(json::text_of(value));
        return read_object(value, in_binary, [](std::size_t, yyjson_val* flag) { return yyjson_is_false(flag); });
    };
    return read_object(object, output_members, read) && is_known;
}

bool read_outputs(yyjson_val* list, Wanted& wanted) {
    return yyjson_arr_size(list) <= max_outputs &&
           read_each(list, [&](yyjson_val* output) { return read_output(output, wanted); });
}

/// Returns whether a value is a flag, a text, or an int64.
bool is_word_or_number(yyjson_val* value) {
    const bool is_in_range =
        !yyjson_is_uint(value) || yyjson_get_uint(value) <= std::numeric_limits<std::int64_t>::max();
    return yyjson_is_bool(value) || yyjson_is_str(value) || (yyjson_is_int(value) && is_in_range);
}

/// Reads options; passes over what clients send to any model.
bool read_parameters(yyjson_val* object, Options& options) {
    if (!yyjson_is_obj(object) || yyjson_obj_size(object) > max_parameters) return false;
    std::size_t index, size;
    yyjson_val *name, *value;
    yyjson_obj_foreach(object, index, size, name, value) {
        if (yyjson_is_null(value)) return false;  // it isn't a way to say nothing here
    }
    constexpr std::array others{"timeout"sv, "binary_data_output"sv};
    constexpr auto known = [others] {
        std::array<std::string_view, others.size() + without_meaning.size()> all{};
        std::copy(without_meaning.begin(), without_meaning.end(), std::copy(others.begin(), others.end(), all.begin()));
        return all;
    }();
    const auto read = [](std::size_t member, yyjson_val* each) {
        if (member == 0) return yyjson_is_uint(each) && yyjson_get_uint(each) == 0;
        return member == 1 ? yyjson_is_false(each) : is_word_or_number(each);
    };
    return json::read_members(object, known, api::kserve, options, read).has_value();
}

/// Returns whether rows come while they are computed: their tensor is the first.
bool has_rows(const Wanted& wanted) { return wanted.all().front() == embedding; }

/// Appends a tensor's description, up to its values.
void begin_tensor(std::string& response, std::size_t tensor, std::size_t sentences, std::size_t numbers) {
    response.append(R"({"name":")").append(described[tensor].name);
    response.append(R"(","datatype":")").append(described[tensor].datatype);
    response.append(R"(","shape":[)");
    json::append_count(response, sentences);
    if (tensor == embedding) {
        response.push_back(',');
        json::append_count(response, numbers);
    }
    response.append(R"(],"data":[)");
}

void append_value(std::string& response, std::size_t tensor, const Reading& reading) {
    if (tensor == token_count) json::append_count(response, reading.tokens);
    else response.append(reading.is_truncated ? "true" : "false");
}

}  // namespace

// Within texts, quotation marks follow a backslash, so that the word in quotation marks is the member's name or a text.
std::optional<std::size_t> InferJsonCodec::count(std::string_view content, std::size_t max_sentences) const {
    constexpr std::string_view name = "\"shape\"";
    const std::string_view looked_at = content.substr(0, json::max_looked_at);
    for (std::size_t found = looked_at.find(name); found != std::string_view::npos;) {
        found = looked_at.find_first_not_of(blanks, found + name.size());
        if (found == std::string_view::npos) break;
        if (looked_at[found] != ':') {
            found = looked_at.find(name, found);
            continue;
        }
        found = looked_at.find_first_not_of(": \t\r\n[", found);
        std::size_t count = 0;
        if (found == std::string_view::npos) break;
        std::from_chars(looked_at.data() + found, looked_at.data() + looked_at.size(), count);
        return count > 0 && count <= max_sentences ? std::optional(count) : std::nullopt;
    }
    return content.size() > json::max_looked_at ? std::optional<std::size_t>(1) : std::nullopt;
}

bool InferJsonCodec::read(std::string_view content, std::size_t max_sentences, Request& request) const {
    yyjson_val* const body = open(content, request);
    auto kept = std::make_shared<Kept>(Kept{request.kept, {}});
    Asked& asked = kept->asked;
    const auto read = [&](std::size_t member, yyjson_val* value) {
        switch (Member(member)) {
            case Member::id: return read_id(value, asked.id);
            case Member::inputs: return read_inputs(value, max_sentences, request.sentences);
            case Member::outputs: return read_outputs(value, asked.wanted);
            case Member::parameters: return read_parameters(value, request.options);
        }
        return false;
    };
    Options none;
    const auto are_there = json::read_members(body, members, api::none, none, read);
    if (!are_there || !(*are_there)[std::size_t(Member::inputs)]) return false;
    if (asked.wanted.count == 0) asked.wanted.count = tensors;
    const auto all = asked.wanted.all();
    if (std::find(all.begin() + 1, all.end(), embedding) != all.end()) return false;  // its rows come before all else
    request.kept = std::move(kept);
    return models_.choose("", request);
}

void InferJsonCodec::begin(const Request& request, std::string& response) const {
    const NamedModel& model = models_.of(request);
    response.append(R"({"model_name":)").append(model.shown).append(R"(,"model_version":)").append(model.version);
    response.append(R"(,"outputs":[)");
    if (has_rows(asked_by(request).wanted))
        begin_tensor(response, embedding, request.sentences.size(), models_.numbers_of(request));
}

void InferJsonCodec::append(const Request& request, const Row& row, std::string& response) const {
    if (!has_rows(asked_by(request).wanted)) return;
    if (row.index > 0) response.push_back(',');
    json::append_members(response, shaped({row.numbers, row.count}, request.options));
}

void InferJsonCodec::end(const Request& request, std::span<const Reading> readings, std::string& response) const {
    const auto& [id, wanted] = asked_by(request);
    std::string_view separator = "";
    for (const std::size_t tensor : wanted.all()) {
        if (tensor != embedding) {
            response.append(separator);
            begin_tensor(response, tensor, readings.size(), 0);
            for (std::size_t index = 0; index < readings.size(); ++index) {
                if (index > 0) response.push_back(',');
                append_value(response, tensor, readings[index]);
            }
        }
        response.append("]}");
        separator = ",";
    }
    response.push_back(']');
    if (!id.empty()) response.append(R"(,"id":")").append(id).push_back('"');
    response.push_back('}');
}

}  // namespace transport::infer
