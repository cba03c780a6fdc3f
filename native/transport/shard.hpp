// A part of a transport with its own lock: connections, their calls, and the lines in which those wait.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>

#include "lock.hpp"
#include "shared.hpp"
#include "sockets.hpp"
#include "taker.hpp"

namespace transport {

/// Shard of a transport: some of its connections, with all that belongs to them, and one lock for that. It has no
/// thread: whichever holds the lock may read its connections, take what waits in its lines, and answer its calls.
/// What shards share is in `Totals`.
class Shard {
public:
    /// `epoll` watches the connections of all shards.
    Shard(int epoll, const std::shared_ptr<Totals>& totals, std::size_t index);
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    Mutex mutex;
    Shared shared;
    Sockets sockets;
    Taker taker;

    const Standing& standing() const { return standing_; }

    /// Reads connections that are ready, by these events; does nothing while another thread reads here.
    void read(std::span<const epoll_event> ready);

    /// Returns when a thread last came to do so.
    double read_at() const { return read_at_; }

    /// Sends what has become ready, and tells others what waits then: sending makes room in streams, whose waiting
    /// messages may be taken. It is the last thing that is done under the lock, which is free while sockets are written.
    void settle() noexcept REQUIRES(the_lock);

    /// Ends what has timed out, and forgets networks that have left.
    void tick(double time) REQUIRES(the_lock);

    bool is_idle() const REQUIRES(the_lock) { return shared.owed.used() == 0 && sockets.are_flushed(); }

private:
    Standing& standing_;
    std::atomic<bool> is_read_{false};
    std::atomic<double> read_at_{0};
};

}  // namespace transport
