#include "json_body.hpp"

#include <algorithm>
#include <charconv>

#include "options.hpp"

namespace transport::json {
namespace {

/// Counts the texts of a body's list without parsing what is around it. Quotation marks inside texts may make the count
/// too high.
std::size_t count_texts(std::string_view body) {
    const std::size_t begin = body.find('['), end = body.rfind(']');
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return 1;
    const std::string_view list = body.substr(begin, end - begin);
    std::size_t count = 1;
    for (std::size_t mark = list.find('"'); mark != std::string_view::npos; mark = list.find('"', mark + 1)) {
        if (list[mark - 1] == '\\') continue;
        const std::size_t next = list.find_first_not_of(" \t\r\n", mark + 1);
        count += next != std::string_view::npos && list[next] == ',';
    }
    return count;
}

}  // namespace

std::string_view text_of(yyjson_val* value) {
    return yyjson_is_str(value) ? std::string_view(yyjson_get_str(value), yyjson_get_len(value)) : std::string_view();
}

bool is_written_as_it_is(std::string_view text) {
    const auto is_escaped = [](unsigned char each) { return each < ' ' || each == '"' || each == '\\'; };
    return std::none_of(text.begin(), text.end(), is_escaped);
}

std::optional<std::size_t> count_of(std::string_view body, std::size_t max_count) {
    if (body.empty()) return std::nullopt;
    const std::size_t found = body.size() > max_looked_at ? 1 : count_texts(body);
    return found <= max_count ? std::optional(found) : std::nullopt;
}

bool read_inputs(yyjson_val* value, std::size_t max_count, std::vector<std::string_view>& inputs) {
    if (yyjson_is_str(value)) {
        inputs.push_back(text_of(value));
        return max_count > 0;
    }
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) == 0 || yyjson_arr_size(value) > max_count) return false;
    inputs.reserve(yyjson_arr_size(value));
    std::size_t index, size;
    yyjson_val* item;
    yyjson_arr_foreach(value, index, size, item) {
        if (!yyjson_is_str(item)) return false;
        inputs.push_back(text_of(item));
    }
    return true;
}

void append_count(std::string& json, std::size_t count) {
    std::array<char, 20> digits;
    json.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), count).ptr);
}

}  // namespace transport::json
