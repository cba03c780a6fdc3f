#include "codec_embed.hpp"

#include <bit>
#include <cstdint>
#include <optional>

namespace transport {
namespace {

static_assert(std::endian::native == std::endian::little);  // as protobuf's numbers are

constexpr char sentences = 0x0a;                                     // EmbedRequest
constexpr char embeddings = 0x0a, model_version = 0x12;              // EmbedResponse
constexpr char values = 0x0a, token_count = 0x10, truncated = 0x18;  // Embedding

std::size_t size_of_varint(std::uint64_t number) { return (std::size_t(std::bit_width(number | 1)) + 6) / 7; }

void append_varint(std::string& out, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) out.push_back(char(number | 0x80));
    out.push_back(char(number));
}

/// Takes a length of at most four bytes, and returns what has that length behind it.
std::optional<std::string_view> take_bytes(std::string_view& from) {
    std::size_t size = 0;
    for (int shift = 0; shift < 28; shift += 7) {
        if (from.empty()) return std::nullopt;
        const auto byte = static_cast<unsigned char>(from.front());
        from.remove_prefix(1);
        size |= std::size_t(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        const std::string_view bytes = from.substr(0, size);  // at most what there is, so that no length leads past it
        from.remove_prefix(bytes.size());
        return bytes.size() == size ? std::optional(bytes) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<std::string_view> take_sentence(std::string_view& request) {
    if (request.front() != sentences) return std::nullopt;
    request.remove_prefix(1);
    return take_bytes(request);
}

}  // namespace

bool EmbedCodec::may_read(std::string_view content, std::size_t most_sentences) const {
    std::size_t found = 0;
    for (; !content.empty(); ++found)
        if (found == most_sentences || !take_sentence(content)) return false;
    return found > 0;
}

bool EmbedCodec::read(std::string_view content, std::size_t most_sentences, Request& request) const {
    request = {};
    while (!content.empty()) {
        if (request.sentences.size() == most_sentences) return false;
        const auto sentence = take_sentence(content);
        if (!sentence) return false;
        request.sentences.push_back(*sentence);
    }
    return !request.sentences.empty();
}

void EmbedCodec::begin(const Request&, std::string&) const {}

void EmbedCodec::append(const Request&, const Row& row, std::string& response) const {
    const auto [tokens, is_truncated] = row.reading;
    const std::size_t bytes = row.count * sizeof(float);
    const std::size_t size = 1 + size_of_varint(bytes) + bytes + 1 + size_of_varint(tokens) + (is_truncated ? 2 : 0);
    response.push_back(embeddings);
    append_varint(response, size);
    response.push_back(values);
    append_varint(response, bytes);
    response.append(reinterpret_cast<const char*>(row.numbers), bytes);
    response.push_back(token_count);
    append_varint(response, tokens);
    if (is_truncated) response.append({truncated, 1});
}

void EmbedCodec::end(const Request&, std::span<const Reading>, std::string& response) const {
    if (version_.empty()) return;
    response.push_back(model_version);
    append_varint(response, version_.size());
    response.append(version_);
}

}  // namespace transport
