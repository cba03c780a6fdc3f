// OpenAI's embeddings, in JSON: the bodies of POST /v1/embeddings and of its responses.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "codec_json.hpp"

namespace transport {

/// Codec of /v1/embeddings: an object of known members, each at most once and of its own type, whose `input` is a text
/// or several. It writes a response byte for byte like Python. Every row has length 1.
class OpenAICodec final : public JsonCodec {
public:
    /// Responses show the names of `models` as JSON; `truncation` applies to all requests, which can't set it.
    OpenAICodec(NamedModels models, Truncation truncation) : JsonCodec(std::move(models), truncation) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

}  // namespace transport
