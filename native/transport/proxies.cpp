#include "proxies.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "http_head.hpp"

namespace transport {
namespace {

constexpr std::string_view mapped{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};  // before an IPv4 address in IPv6

std::string without_mapping(const std::string& bytes) {
    return bytes.size() == 16 && bytes.starts_with(mapped) ? bytes.substr(12) : bytes;
}

std::string_view without_spaces(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Returns the bytes of an address in a header, perhaps with brackets and a port; empty if it is invalid.
std::string parsed(std::string_view text) {
    if (text.size() > 1 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    if (text.starts_with('[')) text = text.substr(1, text.find(']') == std::string_view::npos ? 0 : text.find(']') - 1);
    else if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
    const std::string address(text);
    std::array<char, 16> bytes;
    if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
    if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return without_mapping({bytes.data(), 16});
    return {};
}

/// Returns the value of `for` in an element of Forwarded.
std::string_view for_of(std::string_view element) {
    while (!element.empty()) {
        const std::size_t end = std::min(element.find(';'), element.size());
        const std::string_view pair = without_spaces(element.substr(0, end));
        if (pair.size() > 4 && equals_ignoring_case(pair.substr(0, 4), "for=")) return pair.substr(4);
        element.remove_prefix(std::min(end + 1, element.size()));
    }
    return {};
}

}  // namespace

std::string bytes_of(const sockaddr_storage& address) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    const auto& six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (address.ss_family == AF_INET) return {reinterpret_cast<const char*>(&four), sizeof four};
    if (address.ss_family == AF_INET6) return without_mapping({reinterpret_cast<const char*>(&six), sizeof six});
    return {};
}

std::string network_of(std::string_view address_bytes) {
    return std::string(address_bytes.substr(0, address_bytes.size() == 16 ? 8 : address_bytes.size()));
}

bool AddressRange::holds(std::string_view address_bytes) const {
    if (address_bytes.size() != bytes.size()) return false;
    const std::size_t whole = bits / 8, rest = bits % 8;
    if (address_bytes.substr(0, whole) != std::string_view(bytes).substr(0, whole)) return false;
    const auto differs = [&] { return static_cast<unsigned char>(address_bytes[whole] ^ bytes[whole]) >> (8 - rest); };
    return rest == 0 || differs() == 0;
}

bool Proxies::holds(std::string_view address_bytes) const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [&](const AddressRange& range) { return range.holds(address_bytes); });
}

std::string Proxies::network_through(std::string_view forwarded, std::string_view x_forwarded_for) const {
    const std::string one = last_of(forwarded, true), other = last_of(x_forwarded_for, false);
    if (!forwarded.empty() && !x_forwarded_for.empty() && one != other) return {};
    return network_of(forwarded.empty() ? other : one);
}

std::string Proxies::last_of(std::string_view values, bool are_forwarded) const {
    while (!values.empty()) {
        const std::size_t comma = values.rfind(',');
        const std::string_view element =
            without_spaces(comma == std::string_view::npos ? values : values.substr(comma + 1));
        values = comma == std::string_view::npos ? std::string_view() : values.substr(0, comma);
        std::string address = parsed(are_forwarded ? for_of(element) : element);
        if (address.empty() || !holds(address)) return address;
    }
    return {};
}

}  // namespace transport
