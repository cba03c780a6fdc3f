#include "codec_openai.hpp"

#include <openssl/evp.h>
#include <yyjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "json_number.hpp"
#include "shape.hpp"

namespace transport {
namespace {

using namespace std::string_view_literals;

static_assert(std::endian::native == std::endian::little);  // as the bytes in base64 are

enum class Member { input, model, encoding_format, dimensions, user, truncation };
constexpr std::array members{"input"sv, "model"sv, "encoding_format"sv, "dimensions"sv, "user"sv, "truncation"sv};
template <typename Meaning, std::size_t count>
using Words = std::array<std::pair<std::string_view, Meaning>, count>;
constexpr Words<Encoding, 2> format_words{{{"float", Encoding::text}, {"base64", Encoding::base64}}};
constexpr Words<Truncation, 3> truncation_words{
    {{"error", Truncation::error}, {"start", Truncation::start}, {"end", Truncation::end}}};

constexpr std::size_t most_looked_at = 8 << 10;  // bytes of a body, with the transport's lock: some microseconds

/// A body as the library has it. It may take so many times its bytes of memory, which is enough for texts: what needs
/// more (numbers by the million) is nothing that is read here.
class Document {
public:
    explicit Document(std::string_view body) : most_(most_times * body.size() + most_overhead), left_(most_) {
        const yyjson_alc allocator{&Document::take, &Document::change, &Document::give_back, this};
        // Without the flag that lets it write into the text, the library only reads it.
        char* const text = const_cast<char*>(body.data());
        document_ = yyjson_read_opts(text, body.size(), YYJSON_READ_NOFLAG, &allocator, nullptr);
    }
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;
    ~Document() { yyjson_doc_free(document_); }

    /// Returns its value; null where it is no JSON.
    yyjson_val* root() const { return yyjson_doc_get_root(document_); }

    /// Returns the bytes that it takes.
    std::size_t bytes() const { return most_ - left_; }

private:
    static constexpr std::size_t most_times = 6, most_overhead = 4096;

    static void* take(void* of, std::size_t size) { return change(of, nullptr, 0, size); }
    static void* change(void* of, void* held, std::size_t before, std::size_t size) {
        std::size_t& left = static_cast<Document*>(of)->left_;
        if (size > left + before) return nullptr;
        left = left + before - size;
        return std::realloc(held, size);
    }
    static void give_back(void*, void* held) { std::free(held); }

    const std::size_t most_;
    std::size_t left_;
    yyjson_doc* document_;
};

std::string_view text_of(yyjson_val* value) {
    return yyjson_is_str(value) ? std::string_view(yyjson_get_str(value), yyjson_get_len(value)) : std::string_view();
}

/// Counts the texts of a body's list, without a look at what is around it: where a text has such marks itself, there may
/// seem to be more.
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

/// Reads one text, or a list of some; false where it is anything else.
bool read_inputs(yyjson_val* value, std::size_t most, std::vector<std::string_view>& inputs) {
    if (yyjson_is_str(value)) {
        inputs.push_back(text_of(value));
        return most > 0;
    }
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) == 0 || yyjson_arr_size(value) > most) return false;
    inputs.reserve(yyjson_arr_size(value));
    std::size_t place, size;
    yyjson_val* item;
    yyjson_arr_foreach(value, place, size, item) {
        if (!yyjson_is_str(item)) return false;
        inputs.push_back(text_of(item));
    }
    return true;
}

/// Reads one of `words`, and notes its meaning; null says nothing.
template <typename Meaning, std::size_t count>
bool read_word(yyjson_val* value, const Words<Meaning, count>& words, Meaning& meaning) {
    if (yyjson_is_null(value)) return true;
    for (const auto& [word, means] : words)
        if (yyjson_is_str(value) && text_of(value) == word) return meaning = means, true;
    return false;
}

/// Reads one of the sizes that the model offers; null says nothing.
bool read_size(yyjson_val* value, const std::vector<std::size_t>& sizes, std::size_t& size) {
    if (yyjson_is_null(value)) return true;
    size = yyjson_get_uint(value);  // 0 where it is none
    return size > 0 && offers(sizes, size);
}

bool read_member(Member member, yyjson_val* value, const OpenAICodec::Settings& settings, std::size_t most,
                 Request& request) {
    const auto& names = settings.names;
    Options& options = request.options;
    switch (member) {
        case Member::input: return read_inputs(value, most, request.sentences);
        case Member::model:
            return yyjson_is_str(value) && std::find(names.begin(), names.end(), text_of(value)) != names.end();
        case Member::encoding_format: return read_word(value, format_words, options.encoding);
        case Member::dimensions: return read_size(value, settings.sizes, options.dimensions);
        case Member::user: return yyjson_is_str(value) || yyjson_is_null(value);
        case Member::truncation: return read_word(value, truncation_words, options.truncation);
    }
    return false;
}

void append_count(std::string& json, std::size_t count) {
    std::array<char, 20> digits;
    json.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), count).ptr);
}

void append_base64(std::string& json, std::span<const float> numbers) {
    const std::size_t bytes = numbers.size_bytes(), before = json.size() + 1;
    json.append("\"").append(4 * ((bytes + 2) / 3) + 1, '"');  // the encoder writes a 0 behind, where the mark comes
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(&json[before]),
                    reinterpret_cast<const unsigned char*>(numbers.data()), int(bytes));
    json.back() = '"';
}

void append_numbers(std::string& json, std::span<const float> numbers) {
    const std::size_t before = json.size();
    json.resize(before + numbers.size() * (most_number + 1) + 1);
    char* to = &json[before];
    char mark = '[';
    for (const float number : numbers) {
        *to++ = std::exchange(mark, ',');
        to = write_number(to, number);
    }
    *to++ = ']';
    json.resize(std::size_t(to - json.data()));
}

}  // namespace

std::optional<std::size_t> OpenAICodec::count(std::string_view content, std::size_t most_sentences) const {
    if (content.empty()) return std::nullopt;
    const std::size_t found = content.size() > most_looked_at ? 1 : count_texts(content);
    return found <= most_sentences ? std::optional(found) : std::nullopt;
}

bool OpenAICodec::read(std::string_view content, std::size_t most_sentences, Request& request) const {
    request = {};
    request.options = {settings_.truncation, true, 0, Encoding::text};
    const auto document = std::make_shared<const Document>(content);
    request.kept = document;
    request.kept_bytes = document->bytes();
    yyjson_val* const root = document->root();
    if (!yyjson_is_obj(root)) return false;
    std::array<bool, members.size()> are_there{};
    std::size_t place, size;
    yyjson_val *name, *value;
    yyjson_obj_foreach(root, place, size, name, value) {
        const auto found = std::size_t(std::find(members.begin(), members.end(), text_of(name)) - members.begin());
        if (found == members.size() || std::exchange(are_there[found], true)) return false;
        if (!read_member(Member(found), value, settings_, most_sentences, request)) return false;
    }
    return are_there[std::size_t(Member::input)] && are_there[std::size_t(Member::model)];
}

void OpenAICodec::begin(const Request&, std::string& response) const {
    response.append(R"({"object":"list","data":[)");
}

void OpenAICodec::append(const Request& request, const Row& row, std::string& response) const {
    std::vector<float> room;
    const std::span<const float> numbers = shaped({row.numbers, row.count}, request.options, room);
    if (row.index > 0) response.push_back(',');
    response.append(R"({"object":"embedding","index":)");
    append_count(response, row.index);
    response.append(R"(,"embedding":)");
    if (request.options.encoding == Encoding::base64) append_base64(response, numbers);
    else append_numbers(response, numbers);
    response.push_back('}');
}

void OpenAICodec::end(const Request&, std::span<const Reading> readings, std::string& response) const {
    std::size_t tokens = 0;
    for (const Reading& reading : readings) tokens += reading.tokens;
    response.append(R"(],"model":)").append(settings_.model).append(R"(,"model_version":)").append(settings_.version);
    response.append(R"(,"usage":{"prompt_tokens":)");
    append_count(response, tokens);
    response.append(R"(,"total_tokens":)");
    append_count(response, tokens);
    response.append("}}");
}

}  // namespace transport
