#include "grpc.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace transport {
namespace {

/// Takes a protobuf varint off the front of `bytes`; none if it is truncated or too long.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (std::size_t index = 0; index < std::min<std::size_t>(bytes.size(), 10); ++index) {
        const auto byte = std::uint8_t(bytes[index]);
        value |= std::uint64_t(byte & 0x7f) << (7 * index);
        if (byte < 0x80) {
            bytes.remove_prefix(index + 1);
            return value;
        }
    }
    return std::nullopt;
}

struct Field {
    std::uint64_t number = 0;
    std::string_view content;  // of a length-delimited one
};

/// Takes a field off the front of `bytes`; none at the end, or if it isn't protobuf.
std::optional<Field> take_field(std::string_view& bytes) {
    const auto tag = take_varint(bytes);
    if (!tag || *tag >> 3 == 0) return std::nullopt;
    std::uint64_t size = 0;
    switch (*tag & 7) {
        case 0:
            if (!take_varint(bytes)) return std::nullopt;
            break;
        case 1: size = 8; break;
        case 5: size = 4; break;
        case 2: {
            const auto length = take_varint(bytes);
            if (!length) return std::nullopt;
            size = *length;
            break;
        }
        default: return std::nullopt;
    }
    const std::string_view content = bytes.substr(0, size);  // at most what there is, so that no length leads past it
    bytes.remove_prefix(content.size());
    if (content.size() < size) return std::nullopt;
    return Field{*tag >> 3, (*tag & 7) == 2 ? content : std::string_view()};
}

struct Inflater {
    z_stream stream{};
    bool is_ready = inflateInit2(&stream, 15 + 16) == Z_OK;  // 16: gzip, and nothing else
    Inflater() = default;
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater() {
        if (is_ready) inflateEnd(&stream);
    }
};

}  // namespace

std::optional<Prefix> read_prefix(std::string_view bytes) {
    if (bytes.size() < prefix_size) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t index = 1; index < prefix_size; ++index) size = size << 8 | std::uint8_t(bytes[index]);
    return Prefix{bytes[0] != 0, size};
}

std::string prefix_of(std::size_t size) { return {0, char(size >> 24), char(size >> 16), char(size >> 8), char(size)}; }

std::optional<double> timeout_of(std::string_view text) {
    static constexpr std::array<std::pair<char, double>, 6> units{
        {{'H', 3600}, {'M', 60}, {'S', 1}, {'m', 1e-3}, {'u', 1e-6}, {'n', 1e-9}}};
    constexpr double most = 1e9, forever = std::numeric_limits<double>::infinity();
    if (text.size() < 2 || text.size() > 9) return std::nullopt;
    double amount = 0;
    for (const char digit : text.substr(0, text.size() - 1)) {
        if (digit < '0' || digit > '9') return std::nullopt;
        amount = amount * 10 + (digit - '0');
    }
    for (const auto& [unit, seconds] : units)
        if (unit == text.back()) return amount * seconds < most ? amount * seconds : forever;
    return std::nullopt;
}

std::string percent_encoded(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = std::uint8_t(c);
        if (c >= ' ' && c <= '~' && c != '%') out += c;
        else out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return out;
}

std::string base64(std::string_view bytes) {
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve(bytes.size() * 4 / 3 + 2);
    std::uint32_t buffer = 0;
    int bits = 0;
    for (const char c : bytes) {
        buffer = buffer << 8 | std::uint8_t(c);
        for (bits += 8; bits >= 6; bits -= 6) out += digits[buffer >> (bits - 6) & 63];
    }
    if (bits > 0) out += digits[buffer << (6 - bits) & 63];
    return out;
}

std::size_t count_field_1(std::string_view message, std::size_t max_count) {
    constexpr std::size_t max_others = 4096;  // some ten microseconds
    std::size_t count = 0;
    for (std::size_t others = 0; count < max_count;) {
        const auto field = take_field(message);
        if (!field) break;
        if (field->number == 1) ++count;
        else if (++others > max_others) return max_count;
    }
    return count;
}

std::optional<std::string> health_service(std::string_view message) {
    std::string service;
    while (!message.empty()) {
        const auto field = take_field(message);
        if (!field) return std::nullopt;
        if (field->number == 1) service = field->content;
    }
    return service;
}

std::optional<std::size_t> inflated_size(std::string_view bytes) {
    constexpr std::size_t least = 18, max_to_one = 1032;  // a header and a trailer; deflate's bound
    if (bytes.size() < least || bytes[0] != '\x1f' || bytes[1] != '\x8b') return std::nullopt;
    std::size_t size = 0;
    for (std::size_t index = 1; index <= 4; ++index) size = size << 8 | std::uint8_t(bytes[bytes.size() - index]);
    return size <= bytes.size() * max_to_one ? std::optional(size) : std::nullopt;
}

std::optional<std::string> gunzip(std::string_view bytes, std::size_t size) {
    Inflater inflater;
    if (!inflater.is_ready) return std::nullopt;
    std::string out(size + 1, '\0');  // one more, so that what is too long shows
    z_stream& stream = inflater.stream;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib doesn't write to it
    stream.avail_in = uInt(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = uInt(out.size());
    if (inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.avail_in != 0 || stream.avail_out != 1)
        return std::nullopt;
    out.resize(size);
    return out;
}

}  // namespace transport
