// What is read from one connection's socket while its shard isn't locked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "channel.hpp"
#include "clock.hpp"

namespace transport {

/// First bytes that a connection which is ready has sent, or nothing where they are encrypted. Its socket stays open
/// meanwhile, even if the connection ends.
struct Incoming {
    std::uint64_t id = 0;  // the connection's
    std::shared_ptr<const Descriptor> socket;  // null: all is read under the lock
    std::span<std::uint8_t> room;
    Channel::Result result = Channel::Result::later;
    std::size_t count = 0;  // bytes that came
    double took_s = 0;

    void read() {
        if (!socket) return;
        const double began = now();
        result = Channel::read_from(*socket, room, count);
        took_s = now() - began;
    }
};

}  // namespace transport
