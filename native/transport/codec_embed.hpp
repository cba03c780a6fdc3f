// bothends.v1's EmbedRequest and EmbedResponse, and EmbedStream's messages.
#pragma once

#include <utility>

#include "codec.hpp"
#include "named_models.hpp"

namespace transport {

/// Codec of bothends.v1's Embed.
class EmbedCodec : public Codec {
public:
    /// `empty` is the status for a request without sentences.
    EmbedCodec(NamedModels models, Status empty) : models_(std::move(models)), empty_(std::move(empty)) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const override;
    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;

private:
    const NamedModels models_;
    const Status empty_;
};

/// Codec of a stream's messages: its requests are the same bytes as Embed's, and each embedding of its responses is
/// inside an item. A message in which an item would be an error is left to Python.
class EmbedStreamCodec final : public EmbedCodec {
public:
    explicit EmbedStreamCodec(NamedModels models) : EmbedCodec(std::move(models), {}) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
};

}  // namespace transport
