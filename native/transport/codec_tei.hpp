// text-embeddings-inference's embeddings, in JSON: the bodies of POST /embed and of its responses.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "codec.hpp"
#include "named_models.hpp"

namespace transport {

/// Reads an object of known members, each at most once and of its own type, whose `inputs` are a text or several, and
/// writes a response byte for byte as Python does: a list of rows.
class TeiCodec : public Codec {
public:
    /// Requests name no model, and are for whichever serves those. `truncation` is for requests that leave it to the
    /// server.
    TeiCodec(NamedModels models, Truncation truncation) : models_(std::move(models)), truncation_(truncation) {}

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
