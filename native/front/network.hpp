// What callers of one network have in common: all that one of them is given counts for all.
#pragma once

#include <cstddef>

namespace front {

/// The connections of one IPv4 address, of one half of IPv6's addresses (a /64), or of all sockets that have no such address.
struct Network {
    std::size_t connections = 0;
};

}  // namespace front
