// tei.v1's EmbedRequest and EmbedResponse, text-embeddings-inference's over gRPC: of calls, and of streams' messages.
#pragma once

#include "codec.hpp"

namespace transport {

/// Reads a message's one text and its options, and writes its row and what it cost, as Python does. What comes twice, is
/// unknown, or is left out where it is needed is Python's.
class TeiMessageCodec final : public Codec {
public:
    std::optional<std::size_t> count(std::string_view content, std::size_t most_sentences) const override;
    bool read(std::string_view content, std::size_t most_sentences, Request& request) const override;
    void begin(const Request&, std::string&) const override {}
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request&, std::span<const Reading>, std::string&) const override {}
};

}  // namespace transport
