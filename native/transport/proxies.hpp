// Who calls through a proxy, as far as it is believed.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace transport {

/// Returns the bytes of an address: four, or sixteen; none for other sockets. IPv4 in IPv6 counts as IPv4.
std::string bytes_of(const sockaddr_storage& address);

/// Returns the network of an address: a whole IPv4 address, half of an IPv6 address, empty for other sockets.
std::string network_of(std::string_view address_bytes);

/// Range of addresses that start with the same bits.
struct AddressRange {
    std::string bytes;  // four, or sixteen
    std::size_t bits = 0;

    bool holds(std::string_view address_bytes) const;
};

/// Trusted proxies, which say on whose behalf they call.
class Proxies {
public:
    explicit Proxies(std::vector<AddressRange> ranges = {}) : ranges_(std::move(ranges)) {}

    bool holds(std::string_view address_bytes) const;

    /// Returns the network of the last address in `forwarded` (RFC 7239) or `x_forwarded_for` that isn't one of these
    /// proxies; each argument holds its header's values, separated by commas. Empty if there is none, or if the two
    /// headers disagree: a proxy writes one of them, and may pass on the other as the caller wrote it.
    std::string network_through(std::string_view forwarded, std::string_view x_forwarded_for) const;

private:
    std::string last_of(const std::vector<std::string_view>& addresses) const;

    std::vector<AddressRange> ranges_;
};

}  // namespace transport
