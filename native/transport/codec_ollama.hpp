// Ollama's embeddings, in JSON: the bodies of POST /api/embed and /api/embeddings, and of their responses.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "codec_json.hpp"

namespace transport {

/// Common part of Ollama's two codecs. A model may be named by any of its names, which may end with Ollama's tag.
class OllamaCodec : public JsonCodec {
protected:
    OllamaCodec(NamedModels models, Truncation truncation) : JsonCodec(std::move(models), truncation) {}

    /// Sets the model of a request by name (empty if it names none); returns false if the request is to be left to
    /// Python.
    bool choose(std::string_view name, Request& request) const;
};

/// Codec of /api/embed: an object of known members, each at most once and of its own type, whose `input` is a text or
/// several. It writes a response byte for byte like Python, except for the elapsed time. Every row has length 1.
class OllamaEmbedCodec final : public OllamaCodec {
public:
    /// Responses show the names of `models` as JSON. `truncation` applies to requests that don't set it.
    OllamaEmbedCodec(NamedModels models, Truncation truncation) : OllamaCodec(std::move(models), truncation) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

/// Codec of the older /api/embeddings: `prompt` is one text, and its row is not normalised.
class OllamaEmbeddingsCodec final : public OllamaCodec {
public:
    OllamaEmbeddingsCodec(NamedModels models, Truncation truncation) : OllamaCodec(std::move(models), truncation) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

}  // namespace transport
