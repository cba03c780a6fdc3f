// Counts how much of something is in use: bytes that are held, slots, answers that are owed.
#pragma once

#include <cassert>
#include <cstddef>
#include <limits>

namespace transport {

/// Amount that one holder uses of a resource, and that also counts for everything that the holder belongs to: a call's
/// bytes count for its connection, its network and the server. When a holder is destroyed, what it still uses is
/// released.
class Budget {
public:
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    explicit Budget(std::size_t limit = unlimited, Budget* whole = nullptr) : limit_(limit), whole_(whole) {}
    ~Budget() { give_back(used_); }
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;

    void use(std::size_t amount) {
        for (Budget* each = this; each; each = each->whole_) each->used_ += amount;
    }
    void give_back(std::size_t amount) {
        assert(amount <= used_);
        for (Budget* each = this; each; each = each->whole_) each->used_ -= amount;
    }

    std::size_t used() const { return used_; }
    std::size_t limit() const { return limit_; }

    /// Returns whether `amount` more is within the limit. If nothing is used, any amount is.
    bool has_room_for(std::size_t amount) const { return used_ == 0 || used_ + amount <= limit_; }
    bool is_full() const { return used_ >= limit_; }
    bool is_exceeded() const { return used_ > limit_; }

private:
    const std::size_t limit_;
    Budget* const whole_;
    std::size_t used_ = 0;
};

}  // namespace transport
