// OpenAI's embeddings, in JSON: the bodies of POST /v1/embeddings and of its responses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec.hpp"

namespace transport {

/// Reads an object of known members, each at most once and of its own type, whose `input` is a text or several, and
/// writes a response byte for byte as Python does. Every row has length 1.
class OpenAICodec : public Codec {
public:
    struct Settings {
        std::vector<std::string> names;  // by which requests may call the model
        std::string model, version;      // its own name and its version, as JSON
        std::vector<std::size_t> sizes;  // that it offers
        Truncation truncation;           // of requests that ask for none
    };

    explicit OpenAICodec(Settings settings) : settings_(std::move(settings)) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t most_sentences) const override;
    bool read(std::string_view content, std::size_t most_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;

private:
    const Settings settings_;
};

}  // namespace transport
