// The Open Inference Protocol in JSON: the bodies of POST /v2/models/{model}/infer and of its responses.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "codec_infer_fields.hpp"
#include "codec_json.hpp"

namespace transport::infer {

/// Codec of a path's requests for one tensor of texts, with known parameters; it writes a response byte for byte like
/// Python. Requests with a timeout of their own are left to Python, as are tensors in binary.
class InferJsonCodec final : public JsonCodec {
public:
    /// Requests are for the default one of `models`, which their path names.
    explicit InferJsonCodec(NamedModels models) : JsonCodec(std::move(models), Options{}.truncation) {}

    /// Returns the number in the input's shape, which its texts must have.
    std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const override;
    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;
    Options usual_options() const override { return {.encoding = Encoding::text}; }

    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request& request, std::span<const Reading> readings, std::string& response) const override;
};

}  // namespace transport::infer

namespace transport {
using infer::InferJsonCodec;
}
