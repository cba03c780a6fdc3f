// Where a connection came in, and from where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace transport {

/// Listener by which a connection came, and its other end's address.
struct PeerAddress {
    std::size_t listener = 0;  // its place
    bool is_http = false;      // else gRPC's
    bool is_encrypted = false;
    bool is_extra = false;  // beyond the connections that there may be: it is there for a probe or a scrape alone
    std::string address;    // its peer's; empty where it has none
    std::uint16_t port = 0;
    bool is_for_probes = false;  // no method is called there
    bool is_trusted = false;     // a proxy's, which says in whose name it calls
};

}  // namespace transport
