// tei.v1's EmbedRequest and EmbedResponse, text-embeddings-inference's over gRPC: of calls, and of streams' messages.
#pragma once

#include <utility>

#include "codec.hpp"
#include "named_models.hpp"

namespace transport {

/// Codec of TEI's gRPC messages: one text with its options in, its row and cost out, byte for byte like Python.
/// Messages with repeated, unknown or missing fields are left to Python.
class TeiMessageCodec final : public Codec {
public:
    /// Requests name no model, and are for the default one of `models`.
    explicit TeiMessageCodec(NamedModels models) : models_(std::move(models)) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const override;
    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request&, std::string&) const override {}
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request&, std::span<const Reading>, std::string&) const override {}

private:
    const NamedModels models_;
};

}  // namespace transport
