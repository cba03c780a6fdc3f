// A queue of bytes that are sent as they were made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace transport {

/// Strings whose bytes leave at the beginning. None is copied as it comes, and none is kept once it has left.
class Chunks {
public:
    void append(std::string more) {
        if (more.empty()) return;
        size_ += more.size();
        chunks_.push_back(std::move(more));
    }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    /// Returns what is first, in one piece of at most so many bytes; it stays until it is dropped.
    std::string_view front(std::size_t most) const {
        return chunks_.empty() ? std::string_view() : std::string_view(chunks_.front()).substr(left_, most);
    }

    void drop(std::size_t count) {
        size_ -= count;
        left_ += count;
        while (!chunks_.empty() && left_ >= chunks_.front().size()) {
            left_ -= chunks_.front().size();
            chunks_.pop_front();
        }
    }

    /// Moves what fits into `room`, and returns how many bytes.
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
    std::deque<std::string> chunks_;
    std::size_t left_ = 0, size_ = 0;  // bytes of the first that have left; bytes that are there
};

}  // namespace transport
