// Reads options' values as protocols write them: words, flags and sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "json_body.hpp"
#include "options.hpp"
#include "protobuf.hpp"

namespace transport {

/// A value of JSON's, of which null says nothing, or of a parameter's; no state where no option has such a one.
using Value = std::variant<std::monostate, std::nullptr_t, bool, std::size_t, std::string_view>;

// Each of these notes a value in an option; false where it isn't of its kind.

inline bool set(const Value& value, bool& option) {
    if (const bool* const flag = std::get_if<bool>(&value)) return option = *flag, true;
    return false;
}

inline bool set(const Value& value, std::size_t& option) {
    if (const auto* const size = std::get_if<std::size_t>(&value)) return (option = *size) > 0;
    return std::holds_alternative<std::nullptr_t>(value);
}

template <typename Word>
bool set(const Value& value, Word& option) {
    const auto* const text = std::get_if<std::string_view>(&value);
    if (!text) return std::holds_alternative<std::nullptr_t>(value);
    const auto words = words_of(option);
    const auto* const found = std::find(words.begin(), words.end(), *text);
    if (found != words.end()) option = Word(found - words.begin());
    return found != words.end();
}

/// Returns the option that an API has by this name; null where there is none.
inline const Option* option_of(unsigned api, std::string_view name) {
    for (const Option& row : option_rows)
        if (row.apis & api && row.name == name) return &row;
    return nullptr;
}

inline bool set(const Option& row, const Value& value, Options& options) {
    return std::visit([&](auto member) { return set(value, options.*member); }, row.member);
}

/// Takes a number of a message of bothends.v1, where 0 asks for the default.
template <typename Number>
bool take_option(std::string_view& from, Number& option, Number usual) {
    const auto number = take_number(from);
    if (!number) return false;
    if constexpr (!std::is_enum_v<Number>) option = Number(*number);
    else if (*number > words_of(usual).size()) return false;
    else option = *number == 0 ? usual : Number(*number - 1);
    return true;
}

/// Takes the option of this tag from such a message; false where it is none.
inline bool take_option(char tag, std::string_view& from, Options& options) {
    for (const Option& row : option_rows)
        if (row.tag == tag)
            return std::visit([&](auto it) { return take_option(from, options.*it, Options{}.*it); }, row.member);
    return false;
}

namespace json {

inline Value value_of(yyjson_val* value) {
    if (yyjson_is_null(value)) return nullptr;
    if (yyjson_is_bool(value)) return yyjson_is_true(value);
    if (yyjson_is_uint(value)) return std::size_t(yyjson_get_uint(value));
    if (yyjson_is_str(value)) return text_of(value);
    return {};
}

/// Reads an object's members, each at most once and known by its name: those that are options of the API's, and others by
/// `read`, which returns false for a value that isn't plain. Returns which of the others are there, or nothing where any
/// isn't plain.
template <std::size_t count, typename Read>
std::optional<std::array<bool, count>> read_members(yyjson_val* root,
                                                    const std::array<std::string_view, count>& members, unsigned api,
                                                    Options& options, Read read) {
    if (!yyjson_is_obj(root)) return std::nullopt;
    std::array<bool, count> are_there{};
    std::array<bool, option_rows.size()> are_asked{};
    std::size_t index, size;
    yyjson_val *name, *value;
    yyjson_obj_foreach(root, index, size, name, value) {
        const std::string_view text = text_of(name);
        std::size_t found = 0;
        while (found < count && members[found] != text) ++found;
        if (found < count) {
            if (std::exchange(are_there[found], true) || !read(found, value)) return std::nullopt;
        } else {
            const Option* const row = option_of(api, text);
            if (!row || std::exchange(are_asked[std::size_t(row - option_rows.data())], true)) return std::nullopt;
            if (!set(*row, value_of(value), options)) return std::nullopt;
        }
    }
    return are_there;
}

}  // namespace json
}  // namespace transport
