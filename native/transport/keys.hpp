// Callers' keys: which may call, and whose turns a call has by its key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "usage.hpp"

namespace transport {

/// Keys that may call, by their SHA-256, with the count of each one's quota; null if it has none.
using Keys = std::map<std::string, std::shared_ptr<Usage>>;

/// SHA-256 of the key in an authorization header (`Bearer KEY`); that of nothing for another scheme. Callers send the
/// same header with each call of a connection, and it is hashed once.
class KeyDigest {
public:
    const std::string& of(std::string_view authorization);

    /// Returns whether all calls of the connection so far came with the same key, or none.
    bool is_one() const { return headers_ <= 1; }

private:
    std::string header_, digest_;
    std::size_t headers_ = 0;  // that were not the same as the one before
};

/// Returns a number for the holder of a key with this digest, which differs from all connections' numbers.
std::uint64_t caller_of(const std::string& digest);

/// Returns whether a caller's number is that of a key's holder, and not a connection's.
inline bool is_of_key(std::uint64_t caller) { return caller >> 63; }

}  // namespace transport
