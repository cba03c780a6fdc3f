// Counts how much of something is in use: bytes that are held, slots, answers that are owed.
#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <limits>

namespace transport {

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// Amount of a resource that all shards use together. Any thread may ask for it and change it.
class Pool {
public:
    /// Each shard leases `block` of it at once, so that not every change is seen by all cores: what is counted as used
    /// may exceed what is by two blocks a shard, and is never less.
    explicit Pool(std::size_t limit = unlimited, std::size_t block = 1) : limit_(limit), block_(block) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    void use(std::size_t amount) { used_.fetch_add(amount, std::memory_order_relaxed); }
    void give_back(std::size_t amount) { used_.fetch_sub(amount, std::memory_order_relaxed); }

    std::size_t used() const { return used_.load(std::memory_order_relaxed); }
    std::size_t limit() const { return limit_; }
    std::size_t block() const { return block_; }
    bool is_full() const { return used() >= limit_; }
    bool is_exceeded() const { return used() > limit_; }

private:
    const std::size_t limit_, block_;
    std::atomic<std::size_t> used_{0};
};

/// Amount that one holder uses of a resource, and that also counts for everything that the holder belongs to: a call's
/// bytes count for its connection, its network and the server. When a holder is destroyed, what it still uses is
/// released. It belongs to one shard, and is changed under its lock.
class Budget {
public:
    explicit Budget(std::size_t limit = unlimited, Budget* whole = nullptr) : limit_(limit), whole_(whole) {}

    /// What one shard uses of a pool; it also counts for `whole`.
    explicit Budget(Pool& pool, Budget* whole = nullptr) : limit_(pool.limit()), whole_(whole), pool_(&pool) {}
    ~Budget() { give_back(used_); }
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;

    void use(std::size_t amount) {
        for (Budget* each = this; each; each = each->whole_) {
            each->used_ += amount;
            if (each->pool_) each->lease();
        }
    }
    void give_back(std::size_t amount) {
        assert(amount <= used_);
        for (Budget* each = this; each; each = each->whole_) {
            each->used_ -= amount;
            if (each->pool_) each->release();
        }
    }

    /// Returns how much the holder uses; of a pool, all shards together.
    std::size_t used() const { return pool_ ? pool_->used() - spare() : used_; }
    std::size_t limit() const { return limit_; }

    /// Returns how much the holder uses in its own shard.
    std::size_t used_here() const { return used_; }

    /// Returns whether `amount` more is within the limit. If nothing is used, any amount is.
    bool has_room_for(std::size_t amount) const { return used() == 0 || used() + amount <= limit_; }
    bool is_full() const { return used() >= limit_; }
    bool is_exceeded() const { return used() > limit_; }

private:
    std::size_t spare() const { return leased_ - used_; }

    void lease() {
        if (used_ <= leased_) return;
        const std::size_t block = pool_->block(), more = (used_ - leased_ + block - 1) / block * block;
        leased_ += more;
        pool_->use(more);
    }
    void release() {
        const std::size_t kept = used_ == 0 ? 0 : pool_->block() - 1;
        if (used_ > 0 && spare() <= 2 * kept) return;
        const std::size_t less = spare() - kept;
        leased_ -= less;
        pool_->give_back(less);
    }

    const std::size_t limit_;
    Budget* const whole_;
    Pool* const pool_ = nullptr;
    std::size_t used_ = 0, leased_ = 0;
};

}  // namespace transport
