// A network in one shard. Its callers share what they are given: what one of them uses counts for all.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "account.hpp"
#include "budget.hpp"
#include "networks.hpp"

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

/// What all networks of a shard use together; null where nobody counts it.
struct Wholes {
    Budget *slots = nullptr, *held = nullptr, *unread = nullptr;
};

/// State of one network in one shard: what its connections there have and use. What it has in all is in `all`.
struct Network {
    Network(std::shared_ptr<NetworkTotals> totals, TurnClock& clock, std::size_t shard, const Wholes& wholes = {})
        : all(std::move(totals)),
          account(clock, nullptr, std::shared_ptr<UsedTime>(all, &all->used)),
          callers(all->callers, shard),
          slots(all->slots, wholes.slots),
          held(all->held, wholes.held),
          unread(all->unread, wholes.unread) {}

    const std::shared_ptr<NetworkTotals> all;
    const std::string& prefix = all->prefix;
    const std::uint64_t number = all->number;
    Account account;
    TurnClock callers;                                    // that take turns with each other
    std::unordered_map<std::uint64_t, Account> accounts;  // of callers, by their numbers

    std::size_t connections = 0;  // in this shard
    Budget slots;                 // of unary calls that take one
    Budget held;                  // bytes of requests that came and were not taken
    Budget unread;                // bytes of answers that its callers have not read, or that are being made
    std::list<Call*> receiving;  // whose message has begun to come, the one of which nothing came for the longest first
    std::list<Message*> parked;  // that wait until more of answers is read

    Account& account_of(std::uint64_t caller) {
        const auto found = accounts.find(caller);
        if (found != accounts.end()) return found->second;
        return accounts.try_emplace(caller, callers, &account, all->used_by(caller)).first->second;
    }

    /// Forgets callers that have nothing here any more. Returns whether no caller is left.
    bool forget_callers() {
        callers.rest();
        std::erase_if(accounts, [this](const auto& entry) {
            return entry.second.users == 0 && entry.second.start_tag() <= callers.time();
        });
        return accounts.empty();
    }
};

}  // namespace transport
