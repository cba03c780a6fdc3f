// gRPC's notation, on bytes alone (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace transport {

constexpr std::size_t prefix_size = 5;  // before each message: a flag, and its length as a big-endian uint32

/// What the five bytes before a gRPC message say of it.
struct Prefix {
    bool is_compressed = false;
    std::size_t size = 0;
};

/// Returns the prefix of a gRPC message; none if fewer than five bytes have arrived.
std::optional<Prefix> read_prefix(std::string_view bytes);

/// Returns the prefix for a gRPC message of this size.
std::string prefix_of(std::size_t size);

/// Returns the seconds of a grpc-timeout (at most eight digits and a unit); infinity if it is decades, none if it is
/// invalid.
std::optional<double> timeout_of(std::string_view text);

/// Percent-encodes a grpc-message: everything except printable ASCII, and the percent sign, becomes hexadecimal.
std::string percent_encoded(std::string_view text);

/// Encodes the value of a -bin header, without padding.
std::string base64(std::string_view bytes);

/// Counts the entries of field 1 of a protobuf message, at its top level, up to `max_count`; stops at invalid protobuf.
/// A message with far more other fields than a request has isn't scanned to its end, and counts as `max_count`.
std::size_t count_field_1(std::string_view message, std::size_t max_count);

/// Returns the string in field 1 of a HealthCheckRequest; none if it is malformed.
std::optional<std::string> health_service(std::string_view message);

/// Returns the size that gzip declares, without inflating; none if it is impossible.
std::optional<std::size_t> inflated_size(std::string_view bytes);

/// Inflates gzip with one member; none if it isn't that, or doesn't inflate to `size` bytes.
std::optional<std::string> gunzip(std::string_view bytes, std::size_t size);

}  // namespace transport
