// Messages that wait in a line, for tests of turns.
#pragma once

#include <list>
#include <map>
#include <string>
#include <utility>

#include "units.hpp"

namespace units {

/// Returns the estimated cost of a message of this size before any was measured; only ratios matter then.
inline double work_of(std::size_t size) { return double(size + 64) * 1e-6; }

/// Waiting messages by the numbers of their callers, each with a size in bytes. All callers share one network by
/// default.
class Waiting {
public:
    Message& put(Line& line, std::uint64_t caller, std::size_t size, double patience_s = never, bool is_long = false,
                 const std::string& network = "a", double work = 0) {
        Message& message = messages_.emplace_back();
        message.id = messages_.size();
        message.account = &account(caller, network);
        callers_[message.account] = caller;
        message.size = size;
        message.work = work > 0 ? work : message.account->estimate(size);
        message.patience_s = patience_s;
        message.is_long = is_long;
        message.line = &line;
        line.put(message);
        return message;
    }

    Account& account(std::uint64_t caller, const std::string& network = "a") {
        const auto found = networks_.find(network);
        if (found != networks_.end()) return found->second.account_of(caller);
        return networks_.try_emplace(network, all.networks.find_or_add(network), clock, 0)
            .first->second.account_of(caller);
    }

    std::uint64_t caller_of(const Message& message) { return callers_[message.account]; }

    /// Takes `count` messages; returns their callers' numbers.
    std::string take_messages(Line& line, std::size_t count) {
        std::string found;
        while (found.size() < count && line.first()) found += char('0' + callers_[line.take_message()->account]);
        return found;
    }

    Totals all{settings()};
    TurnClock clock{all.turns};

private:
    std::map<std::string, Network> networks_;
    std::map<const Account*, std::uint64_t> callers_;
    std::list<Message> messages_;
};

/// Makes a line, in which something waits, measure `work` in `seconds`.
inline void pace(Line& line, double& time, double work, double seconds) {
    for (int count = 0; count < 60; ++count, time += seconds) line.moved(work, time);
}

/// Makes a line advance by one message in `seconds`.
inline void move(Line& line, double& time, double seconds) {
    line.moved(line.take_message()->work, time);
    time += seconds;
    line.moved(line.take_message()->work, time);
}

}  // namespace units
