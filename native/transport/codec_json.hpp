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

/// Base of the codecs that parse JSON into the request that owns it. Each API defines its members and its response.
class JsonCodec : public Codec {
public:
    std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const override {
        return json::count_of(content, max_sentences);
    }

    Options usual_options() const override {
        return {.truncation = truncation_, .is_normalized = true, .encoding = Encoding::text};
    }

protected:
    /// `truncation` applies to requests that don't set it.
    JsonCodec(NamedModels models, Truncation truncation) : models_(std::move(models)), truncation_(truncation) {}

    /// Resets `request`, parses a body into it, and returns the root value; null for invalid JSON.
    yyjson_val* open(std::string_view content, Request& request) const {
        const auto document = std::make_shared<const json::Document>(content);
        request = {};
        request.options = usual_options();
        request.kept = document;
        request.kept_bytes = document->bytes();
        return document->root();
    }

    /// Returns the root value of a request that `open` has parsed.
    static yyjson_val* root_of(const Request& request) {
        return static_cast<const json::Document*>(request.kept.get())->root();
    }

    const NamedModels models_;

private:
    const Truncation truncation_;
};

}  // namespace transport
