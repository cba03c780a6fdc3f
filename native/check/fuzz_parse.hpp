// What the transport's fuzzer does to parsers: what stands in a message or a header is anybody's.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../transport/codec_embed.hpp"
#include "../transport/grpc.hpp"
#include "../wordpiece/utf8.hpp"
#include "../wordpiece/wordpiece.hpp"

namespace fuzz {

/// Runs what the fast path does with a text: parses a request, checks a sentence's UTF-8, tokenises its words.
inline void read_sentences(std::string_view text) {
    static const wordpiece::WordPiece tokenizer(
        {{{"a", 1}, {"##a", 2}, {"aa", 3}, {"?", 0}, {"\u00e9", 4}},
         {{U'a', "a"}, {U' ', " "}, {U'A', "aa"}, {U'\u00e9', "\u00e9"}, {U'\U0001f600', ""}},
         {U"[A]"},
         "##",
         "?",
         8});
    transport::Request request;
    static const transport::EmbedCodec codec(transport::NamedModels({{{""}, "", "", 4, {4}}}), {});
    if (codec.read(text, 8, request) != codec.count(text, 8).has_value()) abort();
    for (const std::string_view sentence : request.sentences)
        if (sentence.data() < text.data() || sentence.data() + sentence.size() > text.data() + text.size()) abort();
    std::u32string points;
    if (!wordpiece::decode(text, points)) return;
    if (points.size() > text.size()) abort();
    std::vector<std::uint32_t> ids;
    if (tokenizer.encode(reinterpret_cast<const std::uint32_t*>(points.data()), points.size(), 16, ids))
        for (const std::uint32_t id : ids)
            if (id > 4) abort();
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
