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

/// What one unit of something takes, in seconds of a core, by a running mean of what it took. Any thread may note and ask. One that was
/// stopped meanwhile (by the system, a debugger, a limit of its container) notes its pause, which nobody is to pay for: so what is noted
/// counts for no more than some times the mean, and what has really become dearer shows it again.
class Price {
public:
    explicit Price(double first_s = 0) : unit_s_(first_s) {}

    void note(double units, double seconds) {
        if (units <= 0 || seconds <= 0) return;
        const double before = unit_s_.load(std::memory_order_relaxed);
        const bool is_first = !is_noted_.exchange(true, std::memory_order_relaxed);
        const double latest = is_first ? seconds / units : std::min(seconds / units, max_dearer * before);
        unit_s_.store(is_first ? latest : before + weight * (latest - before), std::memory_order_relaxed);
    }
    double of(double units) const { return units * unit_s_.load(std::memory_order_relaxed); }
    bool is_noted() const { return is_noted_.load(std::memory_order_relaxed); }

private:
    static constexpr double weight = 0.125, max_dearer = 4;  // of the latest

    std::atomic<double> unit_s_;
    std::atomic<bool> is_noted_{false};
};

class Account;

/// Those who want something, in the order of what their accounts have had; of those that have had the same, who stood first. An account
/// that has had more since it stood is found out once it comes first. Each member has its node from the first on, so that to stand here
/// takes no memory, and never fails.
template <class Member>
class Order {
    using Key = std::tuple<double, std::uint64_t, Member*>;
    using Members = std::set<Key>;

public:
    /// What a member needs to stand in an order: in one at a time.
    class Node {
    public:
        Node() {
            Members made{Key{}};
            apart_ = made.extract(made.begin());
        }

    private:
        friend Order;
        typename Members::node_type apart_;  // while it stands in none
        typename Members::iterator at_{};
    };

    void add(Member& member, std::uint64_t age) {
        member.node.apart_.value() = {member.had(), age, &member};
        put(member);
    }
    void remove(Member& member) { member.node.apart_ = members_.extract(member.node.at_); }
    bool empty() const { return members_.empty(); }

    Member& first() {
        while (true) {
            const auto& [had, age, member] = *members_.begin();
            if (had >= member->had()) return *member;
            Member& stands = *member;
            remove(stands);
            std::get<double>(stands.node.apart_.value()) = stands.had();
            put(stands);
        }
    }
    Member& last() const { return *std::get<Member*>(*members_.rbegin()); }

private:
    void put(Member& member) { member.node.at_ = members_.insert(std::move(member.node.apart_)).position; }

    Members members_;
};

/// The virtual time of those who take turns with each other (start-time fair queueing, Goyal et al., SIGCOMM 1996): what the one has had
/// who has had the least of all that wait. Where nobody waits, nobody has had more than others.
class TurnClock {
public:
    double time() const { return time_; }
    void begin_waiting(Account& account) { waiting_.add(account, ++count_); }
    void end_waiting(Account& account);

    /// Notes that somebody has had so much.
    void passed(double had) { latest_ = std::max(latest_, had); }
    void advance();

    /// Where nobody waits, nobody has had more than others.
    void rest() {
        if (waiting_.empty()) time_ = latest_;
    }

    Price byte{1e-6};  // of requests; only ratios matter until some was noted

private:
    Order<Account> waiting_;
    std::uint64_t count_ = 0;
    double time_ = 0, latest_ = 0;
};

/// What one network has had, or one caller of it, whose seconds are its network's, too.
class Account {
public:
    explicit Account(TurnClock& clock, Account* whole = nullptr) : clock_(clock), whole_(whole) {}
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;

    /// Returns how much it has had. Who wanted nothing for a while has saved no more than what it takes to come.
    double had() const { return std::max(had_, clock_.time() - max_saved_s); }

    /// Counts seconds that it takes, or, below 0, that it took less than was counted before. Nobody pays for more than `max_debt_s`.
    void charge(double seconds) {
        for (Account* each = this; each; each = each->whole_) {
            if (each->waiting_ > 0) each->clock_.advance();  // to where its turn began: who comes now stands before its next one
            each->had_ = std::min(each->had() + seconds, each->clock_.time() + max_debt_s);
            each->clock_.passed(each->had_);
        }
    }

    /// Counts the messages of it that wait.
    void begin_waiting() {
        for (Account* each = this; each; each = each->whole_)
            if (each->waiting_++ == 0) each->clock_.begin_waiting(*each);
    }
    void end_waiting() {
        for (Account* each = this; each; each = each->whole_)
            if (--each->waiting_ == 0) each->clock_.end_waiting(*each);
    }

    /// Returns its network's; itself, where it is that.
    Account& network() { return whole_ ? *whole_ : *this; }
    const Account& network() const { return whole_ ? *whole_ : *this; }

    /// Estimates what a request of so many bytes takes, by what those of this caller took, or else of its network, or of all.
    double estimate(std::size_t bytes) const {
        const Account* known = this;
        while (!known->byte_.is_noted() && known->whole_) known = known->whole_;
        return (known->byte_.is_noted() ? known->byte_ : known->clock_.byte).of(double(bytes + message_bytes));
    }

    /// Notes what a request of so many bytes took.
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
    double had_ = 0;
    std::size_t waiting_ = 0;
};

inline void TurnClock::advance() { time_ = std::max(time_, waiting_.first().had()); }

inline void TurnClock::end_waiting(Account& account) {
    waiting_.remove(account);
    rest();
}

}  // namespace transport
