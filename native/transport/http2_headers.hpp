// Headers for nghttp2.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "peer.hpp"

namespace transport {

/// HeaderFields in nghttp2's form, which nghttp2 copies.
class Headers {
public:
    explicit Headers(HeaderFields fields) {
        headers_.reserve(fields.size());
        for (const auto& [name, value] : fields)
            headers_.push_back({(std::uint8_t*)name.data(), (std::uint8_t*)value.data(), name.size(), value.size(),
                                NGHTTP2_NV_FLAG_NONE});
    }
    const nghttp2_nv* data() const { return headers_.data(); }
    std::size_t size() const { return headers_.size(); }

private:
    std::vector<nghttp2_nv> headers_;
};

}  // namespace transport
