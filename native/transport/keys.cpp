#include "keys.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <utility>

namespace transport {
namespace {

/// Returns what follows `Bearer`; empty for another scheme.
std::string_view bearer(std::string_view value) {
    static constexpr std::string_view scheme = "bearer ";
    const bool is_bearer = value.size() > scheme.size() &&
                           std::equal(scheme.begin(), scheme.end(), value.begin(), [](char one, char other) {
                               return one == std::tolower(static_cast<unsigned char>(other));
                           });
    if (!is_bearer) return {};
    value.remove_prefix(scheme.size());
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value.substr(0, value.find_last_not_of(" \t") + 1);
}

std::string sha256(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return {digest.begin(), digest.end()};
}

}  // namespace

const std::string& KeyDigest::of(std::string_view authorization) {
    if (digest_.empty() || header_ != authorization) {
        std::string digest = sha256(bearer(authorization));
        header_ = authorization;
        digest_ = std::move(digest);  // after what may fail: no header has another's digest
        ++headers_;
    }
    return digest_;
}

std::uint64_t caller_of(const std::string& digest) {
    std::uint64_t number = 0;
    std::memcpy(&number, digest.data(), sizeof number);
    return number | std::uint64_t(1) << 63;
}

}  // namespace transport
