#include "trailer.hpp"

#include <string_view>

#include "grpc.hpp"

namespace transport {
namespace {

// nghttp2 sends no headers of more than 64 KiB, and a call without its status would never end. A byte of a message
// becomes up to three on the wire.
constexpr std::size_t max_message = 8 << 10, max_details = 32 << 10;

/// Returns as many whole UTF-8 characters as fit into `max_size` bytes.
std::string_view cut(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (text[most] & 0xc0) == 0x80) --most;
    return text.substr(0, most);
}

}  // namespace

Trailer::Trailer(const Status& status)
    : code_(status.code),
      written_code_(std::to_string(status.code)),
      message_(percent_encoded(cut(status.message, max_message))),
      details_(base64(status.details)) {
    if (details_.size() > max_details) details_.clear();
}

std::size_t Trailer::fields(HeaderField* to) const {
    std::size_t count = 0;
    to[count++] = {"grpc-status", written_code_};
    if (!message_.empty()) to[count++] = {"grpc-message", message_};
    if (!details_.empty()) to[count++] = {"grpc-status-details-bin", details_};
    return count;
}

}  // namespace transport
