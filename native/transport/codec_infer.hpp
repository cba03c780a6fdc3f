// The Open Inference Protocol's ModelInferRequest and ModelInferResponse.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "codec.hpp"

namespace transport::infer {

class Fields;

/// Reads requests for one tensor of texts, by known parameters, and writes a response byte for byte as Python does. A
/// request with a timeout of its own is Python's.
class InferCodec : public Codec {
public:
    struct Settings {
        std::string name, version;       // of the model: requests name the former, and no other version
        std::size_t dimension;           // of its embeddings
        std::vector<std::size_t> sizes;  // that it offers
    };

    explicit InferCodec(Settings settings) : settings_(std::move(settings)) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t most_sentences) const override;
    bool read(std::string_view content, std::size_t most_sentences, Request& request) const override;

    /// Writes all but the tensors' numbers, and leaves room for those.
    void begin(const Request& request, std::string& response) const override;
    void append(const Request& request, const Row& row, std::string& response) const override;
    void end(const Request&, std::span<const Reading>, std::string&) const override {}

private:
    bool serves(const Fields& fields, std::size_t most_sentences) const;
    std::size_t numbers(const Request& request) const;

    const Settings settings_;
};

}  // namespace transport::infer

namespace transport {
using infer::InferCodec;
}
