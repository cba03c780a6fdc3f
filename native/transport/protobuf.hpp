// Protobuf's fields as bytes, for the few messages that are read or written here.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace transport {

inline std::size_t size_of_varint(std::uint64_t number) { return (std::size_t(std::bit_width(number | 1)) + 6) / 7; }

inline void append_varint(std::string& out, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) out.push_back(char(number | 0x80));
    out.push_back(char(number));
}

/// Appends a number field, except for 0, like protobuf's own libraries.
inline void append_number(std::string& out, unsigned field, std::uint64_t number) {
    if (number == 0) return;
    append_varint(out, field << 3);
    append_varint(out, number);
}

/// Takes a number of at most four bytes: longer ones are negative, or not written by any client.
inline std::optional<std::size_t> take_number(std::string_view& from) {
    std::size_t number = 0;
    for (int shift = 0; shift < 28 && !from.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(from.front());
        from.remove_prefix(1);
        number |= std::size_t(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return number;
    }
    return std::nullopt;
}

/// Takes a length-delimited value, and returns its bytes.
inline std::optional<std::string_view> take_bytes(std::string_view& from) {
    const auto size = take_number(from);
    if (!size || *size > from.size()) return std::nullopt;
    const std::string_view bytes = from.substr(0, *size);
    from.remove_prefix(*size);
    return bytes;
}

/// Appends a field of bytes, text or a message.
inline void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
    append_varint(out, field << 3 | 2);
    append_varint(out, bytes.size());
    out += bytes;
}

}  // namespace transport
