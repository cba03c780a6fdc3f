// What somebody has had of a server's time, in seconds of a core: the one unit of turns, whatever a caller asks for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <tuple>
#include <utility>

namespace transport {

/// Cost of one unit of something in seconds of a core, as a running mean of measurements. Any thread may note and ask.
/// A thread that was paused (by the system, a debugger, a container's limit) measures its pause too, for which nobody
/// should pay. So one measurement counts for at most some times the mean; what has really become more expensive shows
/// it again.
class Price {
public:
    explicit Price(double first_s = 0) : unit_s_(first_s) {}

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
    std::atomic<bool> is_noted_{false};
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

/// Virtual time of a fair queue (start-time fair queueing, Goyal et al., SIGCOMM 1996): the least time used by any
/// account that has something waiting. If nothing waits, all accounts become equal.
class TurnClock {
public:
    double time() const { return time_; }
    void begin_waiting(Account& account) { waiting_.add(account, ++count_); }
    void end_waiting(Account& account);

    /// Notes the used time of an account.
    void passed(double used) { latest_ = std::max(latest_, used); }
    void advance();

    /// Makes all accounts equal if nothing waits.
    void rest() {
        if (waiting_.empty()) time_ = latest_;
    }

    Price byte{1e-6};  // of requests; only ratios matter until some was noted

private:
    Order<Account> waiting_;
    std::uint64_t count_ = 0;
    double time_ = 0, latest_ = 0;
};

/// Seconds of a core that a network, or a caller of it, has used. A caller's seconds count for its network, too.
class Account {
public:
    explicit Account(TurnClock& clock, Account* whole = nullptr) : clock_(clock), whole_(whole) {}
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;

    /// Returns the used seconds for the order of turns: an account that was idle has saved at most `max_saved_s`.
    double start_tag() const { return std::max(used_, clock_.time() - max_saved_s); }

    /// Adds used seconds; a negative number corrects an earlier estimate. Nobody's debt exceeds `max_debt_s`.
    void charge(double seconds) {
        for (Account* each = this; each; each = each->whole_) {
            if (each->waiting_ > 0)
                each->clock_.advance();  // to where its turn began: who comes now stands before its next one
            each->used_ = std::min(each->start_tag() + seconds, each->clock_.time() + max_debt_s);
            each->clock_.passed(each->used_);
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
        return (known->byte_.is_noted() ? known->byte_ : known->clock_.byte).of(double(bytes + message_bytes));
    }

    /// Notes the measured cost of a request of this size.
    void took(std::size_t bytes, double seconds) {
        for (Account* each = this; each; each = each->whole_) {
            each->byte_.note(double(bytes + message_bytes), seconds);
            if (!each->whole_) each->clock_.byte.note(double(bytes + message_bytes), seconds);
        }
    }

    std::size_t users = 0;  // calls and connections whose account it is
    Order<Account>::Node node;  // among those that wait

private:
    static constexpr double max_debt_s = 1, max_saved_s = 5e-4;
    static constexpr std::size_t message_bytes = 64;  // what a request takes besides, as if it had so many bytes more

    TurnClock& clock_;
    Account* const whole_;
    Price byte_;
    double used_ = 0;
    std::size_t waiting_ = 0;
};

inline void TurnClock::advance() { time_ = std::max(time_, waiting_.first().start_tag()); }

inline void TurnClock::end_waiting(Account& account) {
    waiting_.remove(account);
    rest();
}

}  // namespace transport
