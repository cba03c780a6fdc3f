// Protobuf's fields as bytes, for the few messages that are written here.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace transport {

inline std::size_t size_of_varint(std::uint64_t number) { return (std::size_t(std::bit_width(number | 1)) + 6) / 7; }

inline void append_varint(std::string& out, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) out.push_back(char(number | 0x80));
    out.push_back(char(number));
}

/// Appends a field of a number; none where that is 0, as protobuf's own libraries do.
inline void append_number(std::string& out, unsigned field, std::uint64_t number) {
    if (number == 0) return;
    append_varint(out, field << 3);
    append_varint(out, number);
}

/// Appends a field of bytes, text or another message.
inline void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
    append_varint(out, field << 3 | 2);
    append_varint(out, bytes.size());
    out += bytes;
}

}  // namespace transport
