// The Open Inference Protocol's ModelInferRequest and ModelInferResponse.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "codec.hpp"
#include "named_models.hpp"

namespace transport::infer {

class Fields;

/// Reads requests for one tensor of texts, by known parameters, and writes a response byte for byte as Python does. A
/// request with a timeout of its own is Python's.
class InferCodec : public Codec {
public:
    /// Requests name one of `models`, and no other version than it has.
    explicit InferCodec(NamedModels models) : models_(std::move(models)) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const override;
    bool read(std::string_view content, std::size_t max_sentences, Request& request) const override;

    /// Writes all but the tensors' numbers, and leaves room for those.
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request&, std::span<const Reading>, std::string&) const override {}

private:
    bool choose(const Fields& fields, std::size_t max_sentences, Request& request) const;
    std::size_t numbers(const Request& request) const;

    const NamedModels models_;
};

}  // namespace transport::infer

namespace transport {
using infer::InferCodec;
}
