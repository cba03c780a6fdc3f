// epoll's events: what they carry, and how a socket is watched.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

namespace transport {

// What epoll's events carry: a connection's number, or one of these and a listener's place.
constexpr std::uint64_t waking = std::uint64_t(1) << 63, listening = std::uint64_t(1) << 62;

inline void watch(int epoll, int socket, std::uint64_t what, std::uint32_t events, int how) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = what;
    epoll_ctl(epoll, how, socket, &event);
}

}  // namespace transport
