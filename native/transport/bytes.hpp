// A queue of bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace transport {

/// Byte queue: bytes are added at the end and removed at the front, at a cost that is linear in both. Removed bytes
/// hold no more memory than those that are there.
class Bytes {
public:
    void append(std::string_view more) { bytes_.append(more); }
    std::string_view view() const { return std::string_view(bytes_).substr(removed_); }
    std::size_t size() const { return bytes_.size() - removed_; }
    bool empty() const { return size() == 0; }

    void drop(std::size_t count) {
        removed_ += count;
        if (removed_ == bytes_.size()) return clear();
        if (removed_ < size()) return;
        bytes_.erase(0, removed_);
        removed_ = 0;
    }

    void clear() {
        if (bytes_.capacity() > max_kept) std::exchange(bytes_, {});  // which an assignment would keep
        bytes_.clear();
        removed_ = 0;
    }

private:
    static constexpr std::size_t max_kept = 1 << 14;  // of memory, once nothing is in it

    std::string bytes_;
    std::size_t removed_ = 0;
};

}  // namespace transport
