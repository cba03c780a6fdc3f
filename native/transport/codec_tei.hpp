// text-embeddings-inference's embeddings, in JSON: the bodies of POST /embed and of its responses.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "codec_json.hpp"

namespace transport {

/// Codec of TEI's /embed: an object of known members, each at most once and of its own type, whose `inputs` is a text
/// or several. It writes a response byte for byte like Python: a list of rows.
class TeiCodec final : public JsonCodec {
public:
    /// Requests name no model, and are for the default one of `models`. `truncation` applies to requests that don't set
    /// it.
    TeiCodec(NamedModels models, Truncation truncation) : JsonCodec(std::move(models), truncation) {}

    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

}  // namespace transport
