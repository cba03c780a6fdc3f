#include "proxies.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <optional>

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
    if (text.starts_with('[')) text = text.substr(1, text.find(']') == std::string_view::npos ? 0 : text.find(']') - 1);
    else if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
    const std::string address(text);
    std::array<char, 16> bytes;
    if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
    if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return without_mapping({bytes.data(), 16});
    return {};
}

/// Takes what `text` begins with, up to the first of `ends`.
std::string_view take_until(std::string_view& text, std::string_view ends) {
    const std::string_view taken = text.substr(0, text.find_first_of(ends));
    text.remove_prefix(taken.size());
    return taken;
}

/// Takes a quoted string, and returns what is between its quotes, escapes and all; nothing if it has no end.
std::optional<std::string_view> take_quoted(std::string_view& text) {
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '\\') ++at;
        else if (text[at] == '"') {
            const std::string_view inside = text.substr(1, at - 1);
            text.remove_prefix(at + 1);
            return inside;
        }
    }
    return std::nullopt;
}

/// Returns the value of `for` in each element of Forwarded (RFC 7239, section 4), empty in those without it; none if it
/// isn't well-formed: then nobody can say which part of it is the proxy's. Commas and semicolons in quoted strings
/// separate nothing: there is the caller's own text, such as its Host.
std::vector<std::string_view> callers_of(std::string_view text) {
    std::vector<std::string_view> found(1);
    for (text = without_spaces(text); !text.empty(); text = without_spaces(text)) {
        const char first = text.front();
        if (first == ',') found.emplace_back();
        if (first == ',' || first == ';') {
            text.remove_prefix(1);
            continue;
        }
        const std::string_view name = take_until(text, "=,; \t\"");
        if (name.empty() || !text.starts_with('=')) return {};
        text.remove_prefix(1);
        const std::optional value = text.starts_with('"') ? take_quoted(text) : take_until(text, ",; \t\"");
        const std::string_view rest = without_spaces(text);
        if (!value || !(rest.empty() || rest.front() == ',' || rest.front() == ';')) return {};
        if (equals_ignoring_case(name, "for")) {
            if (!found.back().empty()) return {};
            found.back() = *value;
        }
    }
    return found;
}

/// Returns the elements of X-Forwarded-For.
std::vector<std::string_view> elements_of(std::string_view text) {
    std::vector<std::string_view> found;
    while (true) {
        found.push_back(without_spaces(take_until(text, ",")));
        if (text.empty()) return found;
        text.remove_prefix(1);
    }
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
    if (forwarded.empty()) return network_of(last_of(elements_of(x_forwarded_for)));
    const std::string caller = last_of(callers_of(forwarded));
    if (!x_forwarded_for.empty() && caller != last_of(elements_of(x_forwarded_for))) return {};
    return network_of(caller);
}

std::string Proxies::last_of(const std::vector<std::string_view>& addresses) const {
    for (auto each = addresses.rbegin(); each != addresses.rend(); ++each) {
        std::string address = parsed(*each);
        if (address.empty() || !holds(address)) return address;
    }
    return {};
}

}  // namespace transport
