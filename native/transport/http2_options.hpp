// What nghttp2 bounds by itself.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace transport {

using Http2Options = std::unique_ptr<nghttp2_option, decltype(&nghttp2_option_del)>;

/// Returns the options of sessions. Where nghttp2's own limits would end honest callers' connections, they are set
/// higher, or the cost is counted separately (overhead.hpp).
inline Http2Options http2_options() {
    // Callers whose deadlines pass reset their calls: nghttp2 would bear 1,000, and 33 a second.
    constexpr std::uint64_t reset_burst = 4096, resets_per_s = 2048;
    constexpr std::size_t max_continuations = 8;
    nghttp2_option* made = nullptr;
    if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_no_closed_streams(made, 1);
    nghttp2_option_set_stream_reset_rate_limit(made, reset_burst, resets_per_s);
    nghttp2_option_set_max_continuations(made, max_continuations);
#if NGHTTP2_VERSION_NUM >= 0x014300
    // From 1.67 on it counts frames that nobody asked for: up to 1.68.1 also DATA that was on its way of calls that were refused,
    // 1,000 of which were too many.
    constexpr std::uint64_t glitch_burst = 1 << 16, glitches_per_s = 1 << 16;
    nghttp2_option_set_glitch_rate_limit(made, glitch_burst, glitches_per_s);
#endif
    return {made, nghttp2_option_del};
}

}  // namespace transport
