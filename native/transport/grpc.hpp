// gRPC's notation, on bytes alone (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace transport {

constexpr std::size_t prefix_size = 5;  // before each message: a flag, and its length as a big-endian uint32

struct Prefix {
    bool is_compressed = false;
    std::size_t size = 0;
};

/// Returns what stands before a message; nothing where fewer than five bytes have come.
std::optional<Prefix> read_prefix(std::string_view bytes);

/// Returns what stands before a message of so many bytes.
std::string prefix_of(std::size_t size);

/// Returns the seconds of a grpc-timeout, at most eight digits and a unit; infinity where it is of decades, nothing where it is none.
std::optional<double> timeout_of(std::string_view text);

/// Writes a grpc-message: what isn't printable ASCII, and the percent sign, in hexadecimal.
std::string percent_encoded(std::string_view text);

/// Writes the value of a header whose name ends in -bin, without padding.
std::string base64(std::string_view bytes);

/// Counts the entries of a protobuf message's field 1, at its top level, up to `most`; stops at what isn't protobuf. What
/// has far more other fields than a request has isn't looked at to its end, and counts as `most`.
std::size_t count_field_1(std::string_view message, std::size_t most);

/// Returns the string in field 1 of a HealthCheckRequest; nothing where it isn't one.
std::optional<std::string> health_service(std::string_view message);

/// Returns what gzip says to inflate to, without inflating it; nothing where that can't be.
std::optional<std::size_t> inflated_size(std::string_view bytes);

/// Inflates gzip of one member; nothing where it isn't that, or doesn't inflate to `size` bytes.
std::optional<std::string> gunzip(std::string_view bytes, std::size_t size);

}  // namespace transport
