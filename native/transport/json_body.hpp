// JSON as codecs of HTTP's methods read and write it: texts, words and sizes of a body, and counts.
#pragma once

#include <yyjson.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace transport::json {

/// A body as the library has it. It may take so many times its bytes of memory, which is enough for texts: what needs
/// more (numbers by the million) is nothing that is read here.
class Document {
public:
    explicit Document(std::string_view body) : most_(max_times * body.size() + max_overhead), left_(most_) {
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
    static constexpr std::size_t max_times = 6, max_overhead = 4096;

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

template <typename Meaning, std::size_t count>
using Words = std::array<std::pair<std::string_view, Meaning>, count>;

std::string_view text_of(yyjson_val* value);

/// Returns how many texts a body's list seems to hold, or nothing where they are more than so many: a look that takes
/// no memory and little time. A body that is longer than some kilobytes is taken for one.
std::optional<std::size_t> count_of(std::string_view body, std::size_t most);

/// Reads one text, or a list of some; false where it is anything else.
bool read_inputs(yyjson_val* value, std::size_t most, std::vector<std::string_view>& inputs);

/// Reads one of `words`, and notes its meaning; null says nothing.
template <typename Meaning, std::size_t count>
bool read_word(yyjson_val* value, const Words<Meaning, count>& words, Meaning& meaning) {
    if (yyjson_is_null(value)) return true;
    for (const auto& [word, means] : words)
        if (yyjson_is_str(value) && text_of(value) == word) return meaning = means, true;
    return false;
}

void append_count(std::string& json, std::size_t count);

}  // namespace transport::json
