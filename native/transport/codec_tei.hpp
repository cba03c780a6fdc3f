// text-embeddings-inference's embeddings, in JSON: the bodies of POST /embed and of its responses.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "codec_json.hpp"

namespace transport {

/// Reads an object of known members, each at most once and of its own type, whose `inputs` are a text or several, and
/// writes a response byte for byte as Python does: a list of rows.
class TeiCodec final : public JsonCodec {
public:
    /// Requests name no model, and are for whichever serves those. `truncation` is for requests that leave it to the
    /// server.
    TeiCodec(NamedModels models, Truncation truncation) : JsonCodec(std::move(models), truncation) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

}  // namespace transport
