// A queue of bytes that are sent as they were made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace transport {

/// Queue of strings whose bytes are removed at the front. No string is copied when it is added, nor kept once it is
/// removed.
class Chunks {
public:
    void append(std::string more) {
        if (more.empty()) return;
        size_ += more.size();
        chunks_.push_back(std::move(more));
    }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    /// Returns the first bytes, at most `max_bytes` in one piece, which stay valid until they are dropped.
    std::string_view front(std::size_t max_bytes) const {
        return size_ == 0 ? std::string_view() : std::string_view(chunks_[first_]).substr(removed_, max_bytes);
    }

    void drop(std::size_t count) {
        size_ -= count;
        removed_ += count;
        for (; first_ < chunks_.size() && removed_ >= chunks_[first_].size(); ++first_) {
            removed_ -= chunks_[first_].size();
            chunks_[first_] = std::string();
        }
        if (2 * first_ < chunks_.size()) return;
        chunks_.erase(chunks_.begin(), chunks_.begin() + std::ptrdiff_t(first_));
        first_ = 0;
        if (chunks_.empty()) std::vector<std::string>().swap(chunks_);
    }

    /// Moves as many bytes as fit into `room`; returns their number.
    std::size_t take(std::span<std::uint8_t> room) {
        std::size_t count = 0;
        while (count < room.size() && size_ > 0) {
            const std::string_view piece = front(room.size() - count);
            std::memcpy(room.data() + count, piece.data(), piece.size());
            drop(piece.size());
            count += piece.size();
        }
        return count;
    }

private:
    std::vector<std::string> chunks_;  // a deque would take half a kilobyte for a call that has none
    std::size_t first_ = 0;            // of those that haven't left whole
    std::size_t removed_ = 0, size_ = 0;  // bytes of that one that have left; bytes that are there
};

}  // namespace transport
