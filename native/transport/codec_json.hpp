// What codecs of bodies in JSON share.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "codec.hpp"
#include "json_body.hpp"
#include "named_models.hpp"

namespace transport {

/// Reads a body into the request that keeps it. What its members mean, and how a response is written, is each API's own.
class JsonCodec : public Codec {
public:
    std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const final {
        return json::count_of(content, max_sentences);
    }

    Options usual_options() const final {
        return {.truncation = truncation_, .is_normalized = true, .encoding = Encoding::text};
    }

protected:
    /// `truncation` is for requests that leave it to the server.
    JsonCodec(NamedModels models, Truncation truncation) : models_(std::move(models)), truncation_(truncation) {}

    /// Makes `request` one that says nothing yet, and returns the body's value; null where it is no JSON.
    yyjson_val* open(std::string_view content, Request& request) const {
        const auto document = std::make_shared<const json::Document>(content);
        request = {};
        request.options = usual_options();
        request.kept = document;
        request.kept_bytes = document->bytes();
        return document->root();
    }

    /// Returns the body's value of a request that `open` has begun.
    static yyjson_val* root_of(const Request& request) {
        return static_cast<const json::Document*>(request.kept.get())->root();
    }

    const NamedModels models_;

private:
    const Truncation truncation_;
};

}  // namespace transport
