// What the transport's fuzzer does to parsers: what stands in a message or a header is anybody's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../transport/codec_embed.hpp"
#include "../transport/grpc.hpp"
#include "../wordpiece/utf8.hpp"
#include "../wordpiece/wordpiece.hpp"

namespace fuzz {

/// Returns what becomes of a few characters of each kind, in each block the same.
inline std::vector<wordpiece::Answer> answers(char32_t) {
    std::vector<wordpiece::Answer> found(wordpiece::Block::size);
    const auto tell = [&](char character, auto becomes) {
        found[static_cast<unsigned char>(character)] = {std::move(becomes), character == 'a'};
    };
    for (const char same : {'a', 'm', 'n', '\xe9'}) {
        char bytes[wordpiece::max_bytes];
        tell(same, std::string(bytes, wordpiece::encode(static_cast<unsigned char>(same), bytes)));
    }
    tell(' ', std::string(" "));
    tell('A', std::string("aa"));
    tell('.', std::string(" . "));
    tell('\0', std::vector<wordpiece::Part>());
    tell('1', std::vector<wordpiece::Part>{{1, "m"}});
    tell('2', std::vector<wordpiece::Part>{{2, "n"}});
    tell('3', std::vector<wordpiece::Part>{{0, " a"}, {2, "n"}, {1, "m"}});
    return found;
}

/// Runs what the fast path does with a text: parses a request, checks a sentence's UTF-8, tokenises its words.
inline void read_sentences(std::string_view text) {
    static const wordpiece::WordPiece tokenizer({{{"a", 1}, {"##a", 2}, {"aa", 3}, {"?", 0}, {"\u00e9", 4}, {"##m", 5}},
                                                 &answers,
                                                 {{"[A]", 6, false}, {"[A", 7, true}},
                                                 {},
                                                 {},
                                                 "##",
                                                 "?",
                                                 8});
    transport::Request request;
    static const transport::EmbedCodec codec(transport::NamedModels({{{""}, "", "", 4, {4}}}), {});
    if (codec.read(text, 8, request) != codec.count(text, 8).has_value()) abort();
    for (const std::string_view sentence : request.sentences)
        if (sentence.data() < text.data() || sentence.data() + sentence.size() > text.data() + text.size()) abort();
    std::vector<std::uint32_t> ids, first;
    const bool is_read = tokenizer.encode(text, SIZE_MAX, ids);
    if (is_read && !wordpiece::is_utf8(text)) abort();
    for (const std::uint32_t id : ids)
        if (is_read && id > 7) abort();
    if (!is_read || !tokenizer.encode(text, 16, first)) return;
    const std::size_t same = std::min(first.size(), ids.size());
    if (same < std::min<std::size_t>(16, ids.size()) ||
        !std::equal(first.begin(), first.begin() + long(same), ids.begin()))
        abort();
}

inline void parse(std::string_view text) {
    const auto seconds = transport::timeout_of(text);
    if (seconds && !(*seconds >= 0)) abort();
    if (transport::count_field_1(text, text.size()) > text.size()) abort();
    transport::health_service(text);
    read_sentences(text);
    if (transport::percent_encoded(text).size() < text.size() || transport::base64(text).size() < text.size()) abort();
    if (const auto prefix = transport::read_prefix(text); prefix && prefix->size > std::uint32_t(-1)) abort();
    const std::string_view head("\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
    const std::string zipped = std::string(head).append(text);
    for (const std::string_view bytes : {text, std::string_view(zipped)}) {
        const auto size = transport::inflated_size(bytes);
        if (!size || *size > 1 << 20) continue;
        const auto inflated = transport::gunzip(bytes, *size);
        if (inflated && inflated->size() != *size) abort();
    }
}

}  // namespace fuzz
