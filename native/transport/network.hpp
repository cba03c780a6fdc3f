// A network, whose callers share what they are given: what one of them uses counts for all.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "account.hpp"
#include "budget.hpp"

namespace transport {

class Call;
struct Message;

/// Recently used seconds: those used earlier count e times less for each second that has passed.
class RecentUse {
public:
    void add(double seconds, double now) {
        seconds_ = lately(now) + seconds;
        noted_at_ = now;
    }
    double lately(double now) const { return seconds_ > 0 ? seconds_ * std::exp(noted_at_ - now) : 0; }

private:
    double seconds_ = 0, noted_at_ = 0;
};

/// Budgets that all networks share.
struct Wholes {
    Budget &slots, &held, &unread;
};

/// State of one network: one IPv4 address, one half of an IPv6 address (a /64), or all sockets without an IP address.
/// For a call through a trusted proxy, the proxy says which network it is.
struct Network {
    Network(std::string address, TurnClock& clock, const Wholes& all, std::size_t max_unread)
        : prefix(std::move(address)),
          account(clock),
          slots(Budget::unlimited, &all.slots),
          held(Budget::unlimited, &all.held),
          unread(max_unread, &all.unread) {}

    const std::string prefix;  // what its addresses begin with
    Account account;
    TurnClock callers;                                    // that take turns with each other
    std::unordered_map<std::uint64_t, Account> accounts;  // of callers, by their numbers

    std::array<std::size_t, 2> connections{};  // to gRPC's listeners, and to HTTP's
    std::size_t extra = 0;                     // connections beyond those that there may be
    std::size_t watches = 0;                   // calls that wait for changes of health
    Budget slots;                // of unary calls that take one
    Budget held;                 // bytes of requests that came and were not taken
    Budget unread;               // bytes of answers that its callers have not read, or that are being made
    std::list<Call*> receiving;  // whose message has begun to come, the one of which nothing came for the longest first
    std::list<Message*> parked;  // that wait until more of answers is read

    std::size_t open() const { return connections[0] + connections[1] + extra; }

    Account& account_of(std::uint64_t caller) { return accounts.try_emplace(caller, callers, &account).first->second; }

    static std::uint64_t& last_number() {
        static std::uint64_t last = 0;  // never 0: that is none
        return last;
    }

    /// Forgets callers that have nothing here any more. Returns whether no caller is left.
    bool forget_callers() {
        callers.rest();
        std::erase_if(accounts, [this](const auto& entry) {
            return entry.second.users == 0 && entry.second.start_tag() <= callers.time();
        });
        return accounts.empty();
    }

    const std::uint64_t number = ++last_number();  // by which Python knows it

    double rests_until = 0;  // by when all that was read in vain will have had the time that there is for it
    double opened_until = 0;  // by when all connections that it has opened will have had theirs
};

}  // namespace transport
