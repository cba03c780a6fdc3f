// What the transport's fuzzer makes of its input: HTTP/2 as a peer sends it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "../transport/grpc.hpp"
#include "../transport/shared.hpp"

namespace fuzz {

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::array<std::string_view, 5> paths{"/t/Unary", "/t/Row", "/t/Probe", "/grpc.health.v1.Health/Check",
                                                "/grpc.health.v1.Health/Watch"};
// Five in eight are of keys that are known, or else a server that asks for keys would do little but refuse.
constexpr std::array<std::string_view, 8> authorizations{
    "", "Bearer none", "Basic one", "Bearer one", "bearer one ", "Bearer one", "Bearer two", "Bearer  two"};
// DATA HEADERS RST_STREAM SETTINGS PING GOAWAY WINDOW_UPDATE CONTINUATION
constexpr std::array<std::uint8_t, 8> frames{0, 1, 3, 4, 6, 7, 8, 9};

/// Settings of every fuzzed transport: low limits that are soon reached, and the statuses of its refusals.
inline transport::TransportSettings settings() {
    transport::TransportSettings told;
    told.limits.max_connection_requests = 8;
    told.limits.max_header_bytes = 400;
    told.limits.held_bytes = 2000;
    told.limits.held_total_bytes = 3000;
    told.limits.unread_bytes = 2000;
#define TRANSPORT_SAID(name, words)                                                \
    told.statuses[std::size_t(transport::Refusal::name)] = {8, #name, "\x08\x03"}; \
    told.responses[0][std::size_t(transport::Refusal::name)] = {429, {{"x-refusal", #name}}, #name};
    TRANSPORT_REFUSALS(TRANSPORT_SAID)
#undef TRANSPORT_SAID
    return told;
}

/// Fuzzer input that is still to be used.
struct Input {
    std::string_view remaining;

    std::uint8_t byte() {
        if (remaining.empty()) return 0;
        const auto value = std::uint8_t(remaining.front());
        remaining.remove_prefix(1);
        return value;
    }
    std::string_view some() {
        const std::string_view found = remaining.substr(0, byte() % 64);
        remaining.remove_prefix(found.size());
        return found;
    }
};

inline std::string frame(std::uint8_t kind, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    std::string out{0, char(payload.size() >> 8), char(payload.size()), char(kind), char(flags)};
    for (int shift = 24; shift >= 0; shift -= 8) out += char(stream >> shift);
    return out.append(payload);
}

/// Encodes a header that HPACK adds to no table.
inline std::string literal(std::string_view name, std::string_view value) {
    return std::string{0, char(name.size())}.append(name) + std::string{char(value.size())}.append(value);
}

/// Encodes the headers that begin a call.
inline std::string headers(Input& input, std::uint32_t stream) {
    const std::uint8_t what = input.byte();
    const std::string_view path = what & 64 ? std::string_view("/t/No") : paths[input.byte() % paths.size()];
    const std::string_view authorization = authorizations[input.byte() % authorizations.size()];
    std::string block =
        "\x83\x86" + literal(":authority", "a") + literal(":path", path) + literal("content-type", "application/grpc");
    if (what & 1) block += literal("grpc-timeout", what & 2 ? "1n" : what & 128 ? "1 H" : "1H");
    if (what & 4) block += literal("grpc-encoding", what & 8 ? "gzip" : "snappy");
    if (!authorization.empty()) block += literal("authorization", authorization);
    if (what & 16) block += literal("authorization", "Bearer two");  // a second one
    return frame(1, what & 32 ? 5 : 4, stream, block);
}

/// Encodes a message, complete or not, to one of the last calls of a peer whose next stream will be `next`.
inline std::string message(Input& input, std::uint32_t next) {
    const std::string_view content = input.some();
    std::string framed = transport::prefix_of(content.size()).append(content);
    const std::uint8_t what = input.byte();
    if (what & 2) framed[0] = 1;
    if (what & 4) framed[4] = char(input.byte());
    return frame(0, what & 1, std::max<std::uint32_t>(1, next - 2 * (what >> 3 & 3)), framed);
}

}  // namespace fuzz
