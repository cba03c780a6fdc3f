// The last headers of a gRPC call.
#pragma once

#include <cstddef>
#include <string>

#include "contract.hpp"
#include "header_field.hpp"

namespace transport {

/// A status as gRPC writes it (PROTOCOL-HTTP2.md). Owns its text, which calls that end alike share: an overload ends most by one status.
class Trailer {
public:
    static constexpr std::size_t max_fields = 3;

    explicit Trailer(const Status& status);

    /// Writes the fields to `to`, and returns how many. They last as long as this does.
    std::size_t fields(HeaderField* to) const;

    int code() const { return code_; }

private:
    int code_;
    std::string written_code_, message_, details_;
};

}  // namespace transport
