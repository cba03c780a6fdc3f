#include "codec_infer_fields.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "option_values.hpp"
#include "protobuf.hpp"

namespace transport::infer {
namespace {

using namespace std::string_view_literals;

static_assert(std::endian::native == std::endian::little);  // as texts' lengths are

// Tags of fields: their numbers, and how they are written.
namespace tag {
constexpr char model_name = 0x0a, model_version = 0x12, id = 0x1a, parameters = 0x22, inputs = 0x2a, outputs = 0x32,
               raw_contents = 0x3a;                                                // a request's
constexpr char name = 0x0a, datatype = 0x12, shape = 0x1a, contents = 0x2a;  // an input's; an output has a name
constexpr char bytes_contents = 0x42;  // of contents
constexpr char key = 0x0a, value = 0x12;  // a parameter's
constexpr char of_bool = 0x08, of_int64 = 0x10, of_text = 0x1a, of_uint64 = 0x28;  // such a value's
}  // namespace tag

/// Field of bytes, none until it was read.
using Once = std::optional<std::string_view>;

bool set_once(Once& field, std::string_view bytes) { return !std::exchange(field, bytes); }

char take_tag(std::string_view& from) {
    const char found = from.front();
    from.remove_prefix(1);
    return found;
}

/// Parses bytes fields that may occur once each; returns false for any other field.
bool read_once(std::string_view from, std::initializer_list<std::pair<char, Once*>> fields) {
    while (!from.empty()) {
        const char found = take_tag(from);
        const auto bytes = take_bytes(from);
        const auto* const field =
            std::find_if(fields.begin(), fields.end(), [&](const auto& known) { return known.first == found; });
        if (!bytes || field == fields.end() || !set_once(*field->second, *bytes)) return false;
    }
    return true;
}

/// Reads a parameter's value: a number, or text in ASCII.
std::optional<Value> read_value(std::string_view from) {
    if (from.empty()) return std::nullopt;
    const char kind = take_tag(from);
    if (kind == tag::of_text) {
        const auto text = take_bytes(from);
        return text && is_ascii(*text) && from.empty() ? std::optional<Value>(*text) : std::nullopt;
    }
    const auto number = take_number(from);
    if (!number || !from.empty()) return std::nullopt;
    switch (kind) {
        case tag::of_bool: return *number != 0;
        case tag::of_int64: return *number;
        case tag::of_uint64: return Value();  // which no option is
        default: return std::nullopt;
    }
}

/// Sets an option; returns false if it is unknown, or has the wrong type.
bool set_option(std::string_view name, const Value& value, Options& options) {
    if (const Option* const row = option_of(api::kserve, name)) return set(*row, value, options);
    if (name == "timeout") return value == Value(std::size_t(0));
    return std::find(without_meaning.begin(), without_meaning.end(), name) != without_meaning.end();
}

bool read_parameter(std::string_view from, Options& options) {
    Once key, content;
    if (!read_once(from, {{tag::key, &key}, {tag::value, &content}}) || !key || !content) return false;
    const auto value = read_value(*content);
    return value && set_option(*key, *value, options);
}

/// Notes a requested tensor.
bool want(std::string_view output, Wanted& wanted) {
    Once name;
    return read_once(output, {{tag::name, &name}}) && wanted.add(name.value_or(""));
}

/// Returns the number of texts in a shape [n] or [n, 1]; 0 for any other shape.
std::size_t count_of(std::string_view shape) {
    const auto count = take_number(shape);
    if (!count || shape.empty()) return count.value_or(0);
    return take_number(shape) == 1 && shape.empty() ? *count : 0;
}

/// Passes each text to `take`, which returns whether to go on; returns false for any other content.
template <typename Take>
bool read_contents(std::string_view from, const Take& take) {
    while (!from.empty()) {
        if (take_tag(from) != tag::bytes_contents) return false;
        const auto text = take_bytes(from);
        if (!text || !take(*text)) return false;
    }
    return true;
}

/// Does the same for texts that each follow their length, four bytes.
template <typename Take>
bool read_raw(std::string_view from, const Take& take) {
    while (!from.empty()) {
        std::uint32_t size = 0;
        if (from.size() < sizeof size) return false;
        std::memcpy(&size, from.data(), sizeof size);
        from.remove_prefix(sizeof size);
        if (size > from.size() || !take(from.substr(0, size))) return false;
        from.remove_prefix(size);
    }
    return true;
}

}  // namespace

bool Wanted::add(std::string_view name) {
    const auto* const found =
        std::find_if(described.begin(), described.end(), [name](const Described& each) { return each.name == name; });
    if (found == described.end()) return false;
    const auto tensor = std::size_t(found - described.begin());
    const auto before = all();
    if (std::find(before.begin(), before.end(), tensor) == before.end()) of[count++] = tensor;
    return true;
}

bool Fields::read(std::string_view request) {
    while (!request.empty()) {
        const char found = take_tag(request);
        const auto bytes = take_bytes(request);
        if (!bytes || !take(found, *bytes)) return false;
    }
    if (outputs_ == 0) wanted_.count = tensors;
    return input_ && read_input(*input_) && count_ > 0;
}

bool Fields::take(char found, std::string_view bytes) {
    switch (found) {
        case tag::model_name: return set_once(model_name_, bytes);
        case tag::model_version: return set_once(model_version_, bytes);
        case tag::id: return set_once(id_, bytes) && bytes.size() <= max_bytes && is_ascii(bytes);
        case tag::parameters:
            return ++parameters_ <= max_parameters && bytes.size() <= max_bytes && read_parameter(bytes, options_);
        case tag::inputs: return set_once(input_, bytes);
        case tag::outputs: return ++outputs_ <= max_outputs && bytes.size() <= max_bytes && want(bytes, wanted_);
        case tag::raw_contents: return set_once(raw_, bytes);
        default: return false;
    }
}

/// Parses the input's description; returns false if it isn't texts, or they are given in two places.
bool Fields::read_input(std::string_view input) {
    Once name, datatype, shape, contents;
    const std::initializer_list<std::pair<char, Once*>> known{
        {tag::name, &name}, {tag::datatype, &datatype}, {tag::shape, &shape}, {tag::contents, &contents}};
    if (!read_once(input, known) || name != "text" || datatype != "BYTES" || !shape) return false;
    contents_ = contents.value_or("");
    count_ = count_of(*shape);
    return contents_.empty() || !raw_;
}

bool Fields::read_texts(std::vector<std::string_view>& texts) const {
    const auto take = [&](std::string_view text) {
        texts.push_back(text);
        return texts.size() <= count_;
    };
    return (raw_ ? read_raw(*raw_, take) : read_contents(contents_, take)) && texts.size() == count_;
}

}  // namespace transport::infer
