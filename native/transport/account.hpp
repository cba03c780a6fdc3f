// What somebody has had of a server's time, in seconds of a core: the one unit of turns, whatever a caller asks for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace transport {

/// Cost of one unit of something in seconds of a core, as a running mean of measurements. Any thread may note and ask.
/// A thread that was paused (by the system, a debugger, a container's limit) measures its pause too, for which nobody
/// should pay. So one measurement counts for at most some times the mean; what has really become more expensive shows
/// it again.
class Price {
public:
    /// `is_known`: a unit usually takes about `first_s`, so that what is noted first is capped, too.
    explicit Price(double first_s = 0, bool is_known = false) : unit_s_(first_s), is_noted_(is_known) {}

    void note(double units, double seconds) {
        if (units <= 0 || seconds <= 0) return;
        const double before = unit_s_.load(std::memory_order_relaxed),
                     latest = capped(units, seconds, max_dearer) / units;
        const bool is_first = !is_noted_.exchange(true, std::memory_order_relaxed);
        unit_s_.store(is_first ? latest : before + weight * (latest - before), std::memory_order_relaxed);
    }

    /// Returns `seconds`, but at most some times what so many units usually take, once that is known.
    double capped(double units, double seconds, double max_times) const {
        return is_noted() ? std::min(seconds, max_times * of(units)) : seconds;
    }
    double of(double units) const { return units * unit_s_.load(std::memory_order_relaxed); }
    bool is_noted() const { return is_noted_.load(std::memory_order_relaxed); }

private:
    static constexpr double weight = 0.125, max_dearer = 4;  // of the latest

    std::atomic<double> unit_s_;
    std::atomic<bool> is_noted_;
};

class Account;

/// Members ordered by the time that their accounts have used, and for equal times by when they were added. The position
/// of an account that has used more since is corrected when it comes first. Each member owns its node from the start, so
/// adding it here takes no memory and never fails.
template <class Member>
class Order {
    using Key = std::tuple<double, std::uint64_t, Member*>;
    using Members = std::set<Key>;

public:
    /// A member's place in an order: in one order at a time.
    class Node {
    public:
        Node() {
            Members made{Key{}};
            apart_ = made.extract(made.begin());
        }

    private:
        friend Order;
        typename Members::node_type apart_;  // while it is in none
        typename Members::iterator at_{};
    };

    void add(Member& member, std::uint64_t age) {
        member.node.apart_.value() = {member.start_tag(), age, &member};
        put(member);
    }
    void remove(Member& member) { member.node.apart_ = members_.extract(member.node.at_); }
    bool empty() const { return members_.empty(); }

    Member& first() {
        while (true) {
            const auto& [start_tag, age, member] = *members_.begin();
            if (start_tag >= member->start_tag()) return *member;
            Member& moved = *member;
            remove(moved);
            std::get<double>(moved.node.apart_.value()) = moved.start_tag();
            put(moved);
        }
    }
    Member& last() const { return *std::get<Member*>(*members_.rbegin()); }

private:
    void put(Member& member) { member.node.at_ = members_.insert(std::move(member.node.apart_)).position; }

    Members members_;
};

/// Virtual time of a fair queue whose accounts wait in several shards (start-time fair queueing, Goyal et al., SIGCOMM
/// 1996): the least time used by any account that has something waiting anywhere. If nothing waits, all accounts become
/// equal. Any thread may ask for it and change it.
class VirtualTime {
public:
    explicit VirtualTime(std::size_t shards = 1) : firsts_(shards) {
        for (auto& first : firsts_) first = never_waits;
    }
    VirtualTime(const VirtualTime&) = delete;
    VirtualTime& operator=(const VirtualTime&) = delete;

    double time() const { return time_.load(std::memory_order_relaxed); }

    /// Notes the used time of an account.
    void passed(double used) { raise(latest_, used); }

    /// Notes that something waits in a shard whose account has used so much.
    void begins_waiting(std::size_t shard, double start_tag) {
        if (start_tag < firsts_[shard].load(std::memory_order_relaxed))
            firsts_[shard].store(start_tag, std::memory_order_relaxed);
    }

    /// Notes the least used time of what waits in a shard; infinite if nothing does.
    void set_first(std::size_t shard, double start_tag) {
        // Of several shards each would otherwise have all cores see a change for each sentence.
        const double before = firsts_[shard].load(std::memory_order_relaxed);
        if (firsts_.size() > 1 && start_tag >= before && start_tag < before + quantum_s) return;
        if (start_tag != before) firsts_[shard].store(start_tag, std::memory_order_relaxed);
        advance();
    }

    Price byte{1e-6};  // of requests; only ratios matter until some was noted

private:
    static constexpr double never_waits = std::numeric_limits<double>::infinity(), quantum_s = 1e-4;

    static void raise(std::atomic<double>& value, double to) {
        double before = value.load(std::memory_order_relaxed);
        while (before < to && !value.compare_exchange_weak(before, to, std::memory_order_relaxed)) {
        }
    }
    void advance() {
        double first = never_waits;
        for (const auto& each : firsts_) first = std::min(first, each.load(std::memory_order_relaxed));
        raise(time_, first < never_waits ? first : latest_.load(std::memory_order_relaxed));
    }

    std::atomic<double> time_{0}, latest_{0};
    std::vector<std::atomic<double>> firsts_;  // by shard
};

/// Accounts with something waiting in one shard, and the virtual time of all.
class TurnClock {
public:
    explicit TurnClock(VirtualTime& all, std::size_t shard = 0) : all_(all), shard_(shard) {}

    double time() const { return all_.time(); }
    void begin_waiting(Account& account);
    void end_waiting(Account& account);
    void passed(double used) { all_.passed(used); }
    void advance();

    /// Makes all accounts equal if nothing waits anywhere.
    void rest() {
        if (waiting_.empty()) all_.set_first(shard_, std::numeric_limits<double>::infinity());
    }

    Price& byte() { return all_.byte; }
    const Price& byte() const { return all_.byte; }

private:
    VirtualTime& all_;
    const std::size_t shard_;
    Order<Account> waiting_;
    std::uint64_t count_ = 0;
};

constexpr double max_saved_s = 5e-4;  // of use, by whoever wanted nothing for a while

/// Used seconds of a core, which several shards count. The first that a network uses are counted for all new networks
/// too: whoever comes next begins behind them.
class UsedTime {
public:
    explicit UsedTime(double seconds = 0, std::shared_ptr<UsedTime> newcomers = nullptr)
        : seconds_(seconds), newcomers_(std::move(newcomers)) {}

    double load() const { return seconds_.load(std::memory_order_relaxed); }

    /// Adds seconds to what was used, or to `least` if that is more; not beyond `most`. Returns what is used now.
    double add(double seconds, double least, double most) {
        double before = load(), after = 0;
        do after = std::min(std::max(before, least) + seconds, std::max(before, most));
        while (!seconds_.compare_exchange_weak(before, after, std::memory_order_relaxed));
        if (newcomers_ && left_as_new_.load(std::memory_order_relaxed) > 0) {
            left_as_new_.store(left_as_new_.load(std::memory_order_relaxed) - seconds, std::memory_order_relaxed);
            newcomers_->add(seconds, least, most + max_row_s);
        }
        return after;
    }

private:
    static constexpr double new_s = 0.05;  // of use, for which a network is new
    static constexpr double max_row_s = 10;  // by which new networks may be behind all others

    std::atomic<double> seconds_;
    const std::shared_ptr<UsedTime> newcomers_;
    std::atomic<double> left_as_new_{new_s};
};

/// Seconds of a core that a network, or a caller of it, has used. A caller's seconds count for its network, too. Each
/// shard has an account of its own for a network and for a key, and they share what they count.
class Account {
public:
    explicit Account(TurnClock& clock, Account* whole = nullptr,
                     std::shared_ptr<UsedTime> used = std::make_shared<UsedTime>(0))
        : clock_(clock), whole_(whole), used_(std::move(used)) {}
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;

    /// Returns the used seconds for the order of turns: an account that was idle has saved at most `max_saved_s`.
    double start_tag() const { return std::max(used_->load(), clock_.time() - max_saved_s); }

    /// Adds used seconds; a negative number corrects an earlier estimate. Nobody's debt grows beyond `max_debt_s`.
    void charge(double seconds) {
        for (Account* each = this; each; each = each->whole_) {
            if (each->waiting_ > 0)
                each->clock_.advance();  // to where its turn began: who comes now stands before its next one
            each->clock_.passed(each->add(seconds));
        }
    }

    /// Counts a waiting message of this account.
    void begin_waiting() {
        for (Account* each = this; each; each = each->whole_)
            if (each->waiting_++ == 0) each->clock_.begin_waiting(*each);
    }
    void end_waiting() {
        for (Account* each = this; each; each = each->whole_)
            if (--each->waiting_ == 0) each->clock_.end_waiting(*each);
    }

    /// Returns the account of its network, which may be itself.
    Account& network() { return whole_ ? *whole_ : *this; }
    const Account& network() const { return whole_ ? *whole_ : *this; }

    /// Estimates the cost of a request of this size: by earlier ones of this caller, or else of its network, or of all.
    double estimate(std::size_t bytes) const {
        const Account* known = this;
        while (!known->byte_.is_noted() && known->whole_) known = known->whole_;
        return (known->byte_.is_noted() ? known->byte_ : known->clock_.byte()).of(double(bytes + message_bytes));
    }

    /// Notes the measured cost of a request of this size.
    void took(std::size_t bytes, double seconds) {
        for (Account* each = this; each; each = each->whole_) {
            each->byte_.note(double(bytes + message_bytes), seconds);
            if (!each->whole_) each->clock_.byte().note(double(bytes + message_bytes), seconds);
        }
    }

    std::size_t users = 0;  // calls and connections whose account it is
    Order<Account>::Node node;  // among those that wait

private:
    static constexpr double max_debt_s = 1;
    static constexpr std::size_t message_bytes = 64;  // what a request takes besides, as if it had so many bytes more

    /// Adds used seconds for this account alone; returns what it has used now.
    double add(double seconds) { return used_->add(seconds, clock_.time() - max_saved_s, clock_.time() + max_debt_s); }

    TurnClock& clock_;
    Account* const whole_;
    const std::shared_ptr<UsedTime> used_;
    Price byte_;
    std::size_t waiting_ = 0;
};

inline void TurnClock::begin_waiting(Account& account) {
    waiting_.add(account, ++count_);
    all_.begins_waiting(shard_, account.start_tag());
}

inline void TurnClock::advance() { all_.set_first(shard_, waiting_.first().start_tag()); }

inline void TurnClock::end_waiting(Account& account) {
    waiting_.remove(account);
    rest();
}

}  // namespace transport
