// What all shards of a transport share: bounds in all, networks, and whose turn it is in each.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "account.hpp"
#include "budget.hpp"
#include "clock.hpp"
#include "costly_runs.hpp"
#include "networks.hpp"
#include "settings.hpp"

namespace transport {

/// Turn of the first message that waits in a shard, to compare it with that of another shard.
struct Turn {
    bool is_urgent = false;  // taken before all others
    int modesty = 0;         // 2 if its caller waits for nothing else, 1 if that is a list, 0 if they wait for more
    std::uint64_t network = 0;
    double network_tag = never, caller_tag = never;  // what its network and its caller have used; infinite without one
    double since = 0;  // when it came

    /// Returns whether it comes before another so clearly that a thread leaves the other's shard for it. In one network
    /// a caller that asks for less needs no lead: it would otherwise wait for the rest of one that asks for much.
    bool is_before(const Turn& other) const {
        if (is_urgent != other.is_urgent) return is_urgent;
        const bool is_same = network == other.network;
        const double ahead_s = is_same && modesty > other.modesty ? 0 : clearly_s;
        return is_same ? caller_tag + ahead_s < other.caller_tag : network_tag + ahead_s < other.network_tag;
    }

private:
    static constexpr double clearly_s = 0.00005;  // of a core: for less, another lock isn't worth it
};

/// A turn that any thread may ask for. Who asks while it is set may get parts of two: whoever takes looks again.
class PublishedTurn {
public:
    void set(const Turn& turn) {
        is_urgent_ = turn.is_urgent;
        modesty_ = turn.modesty;
        network_ = turn.network;
        network_tag_ = turn.network_tag;
        caller_tag_ = turn.caller_tag;
        since_ = turn.since;
    }
    Turn get() const { return {is_urgent_, modesty_, network_, network_tag_, caller_tag_, since_}; }

private:
    std::atomic<bool> is_urgent_{false};
    std::atomic<int> modesty_{0};
    std::atomic<std::uint64_t> network_{0};
    std::atomic<double> network_tag_{never}, caller_tag_{never}, since_{0};
};

/// What a shard tells the others of itself before whoever has changed it releases its lock, so that they needn't take
/// that to look.
struct alignas(64) Standing {
    std::atomic<std::size_t> waiting{0};  // messages, and what else a worker may take
    std::atomic<bool> has_costly{false};  // some of those would keep a thread for long
    std::atomic<bool> has_news{false};  // for the application: requests that it has taken are over
    PublishedTurn turn;  // of the first message for a worker
    PublishedTurn request;  // of the first request for the application
    std::atomic<double> due{never};  // when something ends by itself
    std::atomic<double> rested_at{never};  // when the first connection that rests has rested
    std::atomic<std::size_t> connections{0};
    std::atomic<double> slow_at{never};  // when the oldest request with a slot that is still on its way is too slow
    std::atomic<std::uint64_t> small_network{0};  // whose turn it is among small requests, and what it has used
    std::atomic<double> small_tag{never};
};

/// State that all shards of a transport share. Any thread may ask for it and change it: each part is atomic, or has a
/// lock of its own, in which nothing else is locked.
class Totals {
public:
    explicit Totals(TransportSettings told)
        : settings(std::move(told)), standings(std::max<std::size_t>(settings.limits.transport_shards, 1)) {}
    Totals(const Totals&) = delete;
    Totals& operator=(const Totals&) = delete;

    const TransportSettings settings;
    std::vector<Standing> standings;  // by shard

    Pool slots{settings.limits.max_concurrent_requests};  // of unary calls that take one
    Pool requests{settings.limits.requests};  // of the application, that are open
    Pool held{settings.limits.held_total_bytes, block(settings.limits.held_total_bytes)};
    Pool making{settings.limits.making_bytes};  // bytes of long requests that are served in slices
    Pool unread{settings.limits.unread_total_bytes, block(settings.limits.unread_total_bytes)};

    Networks networks{standings.size(), settings.limits.network_unread_bytes};
    VirtualTime turns{standings.size()};  // of networks
    // Of bytes. Known from the start: the first reading would else be dear for as long as its thread is stopped.
    Price read{1e-7, true}, sent{1e-7, true};
    std::array<std::atomic<std::size_t>, 2> connections{};  // of gRPC's listeners and of HTTP's, without extra ones
    std::atomic<std::size_t> watchers{0};  // of health, and of services that nobody knows

    std::atomic<double> taken_at{0};  // when a worker last took something to compute
    CostlyRuns costly;
    std::atomic<double> cheap_at{0};  // when something that isn't costly was last taken
    std::atomic<std::size_t> since_modest{0};  // batches since a small message whose caller had no other
    std::atomic<std::size_t> since_few{0};  // batches since one of a network that asks for little
    std::atomic<std::uint64_t> few_of{0};  // that network

    /// Returns the network whose small request is the first in all shards but this one, and what it has used.
    std::pair<std::uint64_t, double> first_small(std::size_t but) const {
        std::pair<std::uint64_t, double> first{0, never};
        for (std::size_t index = 0; index < standings.size(); ++index) {
            const Standing& there = standings[index];
            const double tag = index == but ? never : there.small_tag.load();
            if (tag < first.second) first = {there.small_network, tag};
        }
        return first;
    }

    /// Returns whether something waits for workers that comes before `turn`, in whichever shard.
    bool is_overtaken(const Turn& turn, double time) const {
        return std::any_of(standings.begin(), standings.end(), [&](const Standing& there) {
            Turn first = there.turn.get();
            first.is_urgent = false;
            return there.waiting > 0 && first.is_before(turn) && moves(first.since, time);
        });
    }

    /// Returns whether something waits in some shard of which nothing is taken, since all workers are kept.
    bool stands_still(double time) const {
        return std::any_of(standings.begin(), standings.end(), [&](const Standing& there) {
            return there.waiting > 0 && !moves(there.turn.get().since, time);
        });
    }

    /// Returns whether something that has waited `since` then is being served, as far as anybody can tell: where
    /// workers have taken nothing for a while, since all runs hang, nothing is to wait for it.
    bool moves(double since, double time) const {
        return time - std::max(since, taken_at.load()) < settings.limits.passes_s;
    }

    /// Returns the earliest of a time that each shard tells.
    double first(std::atomic<double> Standing::* time) const {
        double found = never;
        for (const Standing& each : standings) found = std::min(found, (each.*time).load());
        return found;
    }

    /// Returns whether some request with a slot has been on its way for too long, in whichever shard.
    bool has_slow(double time) const { return first(&Standing::slow_at) < time; }

    /// Returns whether a shard tells that.
    bool any(std::atomic<bool> Standing::* what) const {
        return std::any_of(standings.begin(), standings.end(),
                           [what](const Standing& each) { return (each.*what).load(); });
    }

private:
    /// Returns how much of a bound one shard leases at once: little enough that all of them stay near it.
    std::size_t block(std::size_t limit) const {
        return standings.size() == 1 ? 1 : std::max<std::size_t>(1, limit / (1024 * standings.size()));
    }
};

}  // namespace transport
