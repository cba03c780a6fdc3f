// epoll's events: what they carry, and how a socket is watched.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

namespace transport {

// What epoll's events carry: a connection's number with its shard's index, or one of these and a listener's place.
constexpr std::uint64_t waking = std::uint64_t(1) << 63, listening = std::uint64_t(1) << 62;
constexpr unsigned index_shift = 48;

namespace epoll {

inline std::uint64_t key_of(std::size_t shard, std::uint64_t connection) { return shard << index_shift | connection; }
inline std::size_t shard_of(std::uint64_t key) { return key >> index_shift; }
inline std::uint64_t connection_of(std::uint64_t key) { return key & ((std::uint64_t(1) << index_shift) - 1); }

}  // namespace epoll

inline void watch(int epoll, int socket, std::uint64_t what, std::uint32_t events, int how) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = what;
    epoll_ctl(epoll, how, socket, &event);
}

}  // namespace transport
