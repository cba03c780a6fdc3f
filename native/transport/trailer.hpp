// The last headers of a gRPC call.
#pragma once

#include <cstddef>
#include <string>

#include "contract.hpp"
#include "header_field.hpp"

namespace transport {

/// gRPC status in trailers (PROTOCOL-HTTP2.md). It owns its text, which calls that end alike share: an overload ends
/// most calls with one status.
class Trailer {
public:
    static constexpr std::size_t max_fields = 3;

    explicit Trailer(const Status& status);

    /// Writes the fields to `to`, and returns their number. They are valid as long as this object.
    std::size_t fields(HeaderField* to) const;

    int code() const { return code_; }

private:
    int code_;
    std::string written_code_, message_, details_;
};

}  // namespace transport
