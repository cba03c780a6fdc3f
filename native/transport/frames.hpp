// Where HTTP/2's frames begin, in bytes as they come.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace transport {

/// Parser of frame headers (RFC 9113, 4.1), which detects frames that nghttp2 drops silently.
class Frames {
public:
    /// Parses the next bytes; calls `on_data` with a stream and the number of bytes in a DATA frame for it.
    template <typename OnData>
    void look(std::string_view bytes, OnData on_data) {
        while (true) {
            const std::size_t passed = std::min(remaining_, bytes.size());
            if (is_data_ && passed > 0) on_data(stream_, passed);
            remaining_ -= passed;
            bytes.remove_prefix(passed);
            const std::size_t more = std::min(head_.size() - has_, bytes.size());
            std::memcpy(head_.data() + has_, bytes.data(), more);
            has_ += more;
            bytes.remove_prefix(more);
            if (has_ < head_.size()) return;
            has_ = 0;
            remaining_ = std::size_t(head_[0]) << 16 | std::size_t(head_[1]) << 8 | head_[2];
            is_data_ = head_[3] == data_type;
            stream_ = std::int32_t((head_[5] & 0x7fu) << 24 | std::uint32_t(head_[6]) << 16 |
                                   std::uint32_t(head_[7]) << 8 | head_[8]);
        }
    }

private:
    static constexpr std::size_t preface_size = 24;  // with which HTTP/2 begins
    static constexpr std::uint8_t data_type = 0;

    std::array<std::uint8_t, 9> head_{};
    std::size_t has_ = 0;             // of the head's bytes
    std::size_t remaining_ = preface_size;  // of what comes before the next head
    std::int32_t stream_ = 0;
    bool is_data_ = false;
};

}  // namespace transport
