// The Open Inference Protocol's ModelInferRequest and ModelInferResponse.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "codec.hpp"
#include "named_models.hpp"

namespace transport::infer {

class Fields;

/// Codec of requests for one tensor of texts, with known parameters; it writes a response byte for byte like Python. A
/// request with its own timeout is left to Python.
class InferCodec : public Codec {
public:
    /// Requests must name one of `models`, and no version other than its own.
    explicit InferCodec(NamedModels models) : models_(std::move(models)) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const override;
    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;

    /// Writes everything except the tensors' numbers, and leaves room for those.
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request&, std::span<const Reading>, std::string&) const override {}

private:
    bool choose(const Fields& fields, std::size_t max_sentences, Request& request) const;

    const NamedModels models_;
};

}  // namespace transport::infer

namespace transport {
using infer::InferCodec;
}
