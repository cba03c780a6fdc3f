// Methods whose responses are known before they are asked for.
#pragma once

#include <string>
#include <utility>

#include "codec.hpp"

namespace transport {

/// Codec that answers every request without fields with the same response, which Python prepares.
class ConstantCodec : public Codec {
public:
    explicit ConstantCodec(std::string response) : response_(std::move(response)) {}

    std::optional<std::size_t> count(std::string_view content, std::size_t) const override {
        return content.empty() ? std::optional<std::size_t>(0) : std::nullopt;
    }
    bool read(std::string_view content, std::size_t, Request& request) const override {
        request = {};
        request.response = &response_;
        return content.empty();
    }
    void begin(const Request&, std::string&) const override {}
    void append(const Request&, const Row&, std::string&) const override {}
    void end(const Request&, std::span<const Reading>, std::string&) const override {}

private:
    const std::string response_;
};

}  // namespace transport
