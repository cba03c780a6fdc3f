// Words of HTTP's statuses, which nobody needs and everybody expects.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace transport {

/// Returns the reason phrase of an HTTP/1.1 status; empty for a rare one.
inline std::string_view reason_of(std::string_view status) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 22> known{{
        {"200", "OK"},
        {"204", "No Content"},
        {"301", "Moved Permanently"},
        {"302", "Found"},
        {"304", "Not Modified"},
        {"307", "Temporary Redirect"},
        {"308", "Permanent Redirect"},
        {"400", "Bad Request"},
        {"401", "Unauthorized"},
        {"403", "Forbidden"},
        {"404", "Not Found"},
        {"405", "Method Not Allowed"},
        {"408", "Request Timeout"},
        {"413", "Content Too Large"},
        {"415", "Unsupported Media Type"},
        {"421", "Misdirected Request"},
        {"422", "Unprocessable Content"},
        {"429", "Too Many Requests"},
        {"431", "Request Header Fields Too Large"},
        {"500", "Internal Server Error"},
        {"503", "Service Unavailable"},
        {"504", "Gateway Timeout"},
    }};
    for (const auto& [code, reason] : known)
        if (code == status) return reason;
    return {};
}

}  // namespace transport
