// bothends.v1's EmbedRequest and EmbedResponse.
#pragma once

#include "codec.hpp"

namespace transport {

class EmbedCodec : public Codec {
public:
    /// `version` is the model's.
    explicit EmbedCodec(std::string version) : version_(std::move(version)) {}

    bool may_read(std::string_view content, std::size_t most_sentences) const override;
    bool read(std::string_view content, std::size_t most_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;

private:
    const std::string version_;
};

}  // namespace transport
