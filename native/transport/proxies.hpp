// Who calls through a proxy, as far as it is believed.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace transport {

/// Returns the bytes of an address: four, or sixteen; none of other sockets. IPv4 in IPv6 is IPv4.
std::string bytes_of(const sockaddr_storage& address);

/// Returns what one caller's addresses have in common: all of IPv4's, half of IPv6's, nothing of other sockets'.
std::string network_of(std::string_view address_bytes);

/// Addresses that begin with the same bits.
struct AddressRange {
    std::string bytes;  // four, or sixteen
    std::size_t bits = 0;

    bool holds(std::string_view address_bytes) const;
};

/// The proxies whose word is taken for who calls.
class Proxies {
public:
    explicit Proxies(std::vector<AddressRange> ranges = {}) : ranges_(std::move(ranges)) {}

    bool holds(std::string_view address_bytes) const;

    /// Returns the network of the last address in `forwarded` (RFC 7239) or `x_forwarded_for` that is none of these proxies'; each holds
    /// its header's values, with commas. Empty where none is told, or where the two headers don't agree: a proxy writes one of them, and
    /// lets the other pass as a caller has written it.
    std::string network_behind(std::string_view forwarded, std::string_view x_forwarded_for) const;

private:
    std::string last_of(std::string_view values, bool are_forwarded) const;

    std::vector<AddressRange> ranges_;
};

}  // namespace transport
