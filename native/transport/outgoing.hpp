// What is written to one connection's socket while its shard isn't locked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "bytes.hpp"
#include "channel.hpp"
#include "clock.hpp"

namespace transport {

/// Bytes for a connection that isn't encrypted, and what became of them. Its socket stays open meanwhile, even if the
/// connection ends.
struct Outgoing {
    std::uint64_t id = 0;  // the connection's
    std::shared_ptr<const Descriptor> socket;
    Bytes bytes;
    double took_s = 0;  // to make and to write them
    Channel::Result result = Channel::Result::some;
    std::size_t count = 0;  // bytes that the socket took

    void write() {
        const double began = now();
        result = Channel::write_to(*socket, bytes.view(), count);
        took_s += now() - began;
    }
};

}  // namespace transport
