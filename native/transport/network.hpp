// A network, whose callers share what they are given: what one of them uses counts for all.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <list>

#include "budget.hpp"

namespace transport {

class Call;

/// Seconds of shared time that somebody has used lately: each second, what was used before counts e times less.
class Had {
public:
    void add(double seconds, double now) {
        seconds_ = lately(now) + seconds;
        noted_at_ = now;
    }
    double lately(double now) const { return seconds_ > 0 ? seconds_ * std::exp(noted_at_ - now) : 0; }

private:
    double seconds_ = 0, noted_at_ = 0;
};

/// What there is of one IPv4 address, of one half of IPv6's addresses (a /64), or of all sockets that have no such
/// address.
struct Network {
    explicit Network(Budget& all) : held(Budget::unlimited, &all) {}

    std::array<std::size_t, 2> connections{};  // to gRPC's listeners, and to HTTP's
    std::size_t extra = 0;                     // connections beyond those that there may be
    std::size_t watches = 0;                   // calls that wait for changes of health
    Budget held;                               // bytes of requests that came and were not taken
    std::list<Call*> receiving;  // whose message has begun to come, the one of which nothing came for the longest first
    Had reading;

    std::size_t open() const { return connections[0] + connections[1] + extra; }

    double rests_until = 0;  // by when all that was read in vain will have had the time that there is for it
};

}  // namespace transport
