// OpenAI's embeddings, in JSON: the bodies of POST /v1/embeddings and of its responses.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "codec.hpp"
#include "named_models.hpp"

namespace transport {

/// Reads an object of known members, each at most once and of its own type, whose `input` is a text or several, and
/// writes a response byte for byte as Python does. Every row has length 1.
class OpenAICodec : public Codec {
public:
    /// `models` are shown as JSON; `truncation` is for requests that ask for none.
    OpenAICodec(NamedModels models, Truncation truncation) : models_(std::move(models)), truncation_(truncation) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t most_sentences) const override;
    bool read(std::string_view content, std::size_t most_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;

private:
    const NamedModels models_;
    const Truncation truncation_;
};

}  // namespace transport
