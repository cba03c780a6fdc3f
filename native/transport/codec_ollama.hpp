// Ollama's embeddings, in JSON: the bodies of POST /api/embed and /api/embeddings, and of their responses.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "codec_json.hpp"

namespace transport {

/// What both ways to ask have in common. A model is asked for by any of its names, which may end with Ollama's tag.
class OllamaCodec : public JsonCodec {
protected:
    explicit OllamaCodec(NamedModels models) : JsonCodec(std::move(models), Truncation::start) {}

    /// Notes in a request the model that it asks for by this name, an empty one for none; false where Python is to see it.
    bool choose(std::string_view name, Request& request) const;
};

/// Reads an object of known members, each at most once and of its own type, whose `input` is a text or several, and
/// writes a response byte for byte as Python does, but for the time that it took. Every row has length 1.
class OllamaEmbedCodec final : public OllamaCodec {
public:
    /// `models` are shown as JSON.
    explicit OllamaEmbedCodec(NamedModels models) : OllamaCodec(std::move(models)) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

/// Likewise for the API's older way: `prompt` is one text, and its row is as the model computes it.
class OllamaEmbeddingsCodec final : public OllamaCodec {
public:
    explicit OllamaEmbeddingsCodec(NamedModels models) : OllamaCodec(std::move(models)) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

}  // namespace transport
