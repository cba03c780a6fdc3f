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

/// Keys that may call, by their SHA-256, and what counts each one's share; null where nothing does.
using Keys = std::map<std::string, std::shared_ptr<Usage>>;

/// The SHA-256 of what stands after `Bearer` in an authorization header; of nothing, where the scheme is another.
/// Callers send the same header with each call of a connection, and it is hashed once.
class KeyDigest {
public:
    const std::string& of(std::string_view authorization);

    /// Returns whether all of the connection's calls so far came with one key, or none.
    bool is_one() const { return headers_ <= 1; }

private:
    std::string header_, digest_;
    std::size_t headers_ = 0;  // that were not the same as the one before
};

/// Returns a number for who holds a key of this digest, that is no connection's.
std::uint64_t caller_of(const std::string& digest);

}  // namespace transport
