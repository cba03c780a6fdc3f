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

/// Parsed JSON body. Its memory is limited to a multiple of its size, which is enough for texts; a body that needs more
/// (numbers by the million) is not parsed here.
class Document {
public:
    explicit Document(std::string_view body)
        : max_bytes_(max_times * body.size() + max_overhead), remaining_(max_bytes_) {
        const yyjson_alc allocator{&Document::take, &Document::change, &Document::give_back, this};
        // Without the flag that lets it write into the text, the library only reads it.
        char* const text = const_cast<char*>(body.data());
        document_ = yyjson_read_opts(text, body.size(), YYJSON_READ_NOFLAG, &allocator, nullptr);
    }
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;
    ~Document() { yyjson_doc_free(document_); }

    /// Returns the root value; null for invalid JSON.
    yyjson_val* root() const { return yyjson_doc_get_root(document_); }

    /// Returns the bytes of memory that it uses.
    std::size_t bytes() const { return max_bytes_ - remaining_; }

private:
    static constexpr std::size_t max_times = 6, max_overhead = 4096;

    static void* take(void* of, std::size_t size) { return change(of, nullptr, 0, size); }
    static void* change(void* of, void* held, std::size_t before, std::size_t size) {
        std::size_t& left = static_cast<Document*>(of)->remaining_;
        if (size > left + before) return nullptr;
        left = left + before - size;
        return std::realloc(held, size);
    }
    static void give_back(void*, void* held) { std::free(held); }

    const std::size_t max_bytes_;
    std::size_t remaining_;
    yyjson_doc* document_;
};

template <typename Meaning, std::size_t count>
using Words = std::array<std::pair<std::string_view, Meaning>, count>;

constexpr std::size_t max_looked_at = 8 << 10;  // bytes of a body, with a shard's lock: some microseconds

std::string_view text_of(yyjson_val* value);

/// Returns whether orjson would escape nothing in a text.
bool is_written_as_it_is(std::string_view text);

/// Returns how many texts a body's list seems to hold, or none if they are more than `max_count`. It takes no memory
/// and little time. A body longer than some kilobytes counts as one.
std::optional<std::size_t> count_of(std::string_view body, std::size_t max_count);

/// Reads one text, or a list of texts; returns false for anything else.
bool read_inputs(yyjson_val* value, std::size_t max_count, std::vector<std::string_view>& inputs);

/// Reads one of `words`, and stores its meaning; null leaves it as it is.
template <typename Meaning, std::size_t count>
bool read_word(yyjson_val* value, const Words<Meaning, count>& words, Meaning& meaning) {
    if (yyjson_is_null(value)) return true;
    for (const auto& [word, means] : words)
        if (yyjson_is_str(value) && text_of(value) == word) return meaning = means, true;
    return false;
}

void append_count(std::string& json, std::size_t count);

}  // namespace transport::json
