// Messages that wait to be taken, in turns of their networks and callers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "account.hpp"
#include "turns.hpp"

namespace transport {

constexpr double costly_s = 0.002;  // from which on what can't be cut would keep a thread for long

/// Messages that a thread may take now.
struct Allowed {
    bool begin = true;   // long ones of which nothing was taken
    bool costly = true;  // those that would keep a thread for long, and can't be cut
};

/// Fair queue of messages. A message's cost is estimated in seconds of a core when it arrives, and charged to its
/// caller's account when it is taken; once the real cost is known, the charge is corrected (Transport::answer). A long
/// message may be taken in slices, with others' turns between them. The line also estimates how long a new message
/// would wait, by how fast it has moved lately.
class Line {
public:
    /// Adds a message to the line. If that throws, for lack of memory, nothing has changed.
    void put(Message& message);
    void remove(Message& message);

    /// Removes and returns the message whose turn it is, or null.
    Message* take_message();

    /// Removes all of a message that waits in the line.
    void take(Message& message);

    /// Takes `work` seconds of a message, of which more waits.
    void take_slice(Message& message, double work);

    /// Takes a message out of turn while it is parsed, as if it still waited.
    void set_apart(Message& message) { standing(message).remove(message); }

    /// Puts the message in its turn again.
    void put_back(Message& message) { standing(message).add(message); }

    /// Changes the estimated cost of a message that is out of turn.
    void estimate_anew(Message& message, double work);

    /// Returns the sort key of a message's turn: its network's used time, its caller's, and its age.
    static std::tuple<double, double, std::uint64_t> turn_of(const Message& message);

    /// Returns the message whose turn it is, or null.
    Message* first(Allowed allowed = {});

    /// Returns the newest message of the caller that has used the most, or null.
    Message* last() const;

    /// Returns how much work of a caller or a network waits, in seconds.
    double waiting(const Account& account) const;

    /// Returns how many messages of a caller or a network wait.
    std::size_t messages(const Account& account) const;

    /// Notes that this much work was taken at `now`, by one take_messages.
    void moved(double work, double now);

    /// Calls `act` for each long message of which nothing was taken.
    template <typename Act>
    void each_unbegun(const Act& act) const {
        turns_[unbegun].each(act);
        turns_[unbegun_costly].each(act);
    }

    std::size_t size() const {
        return std::accumulate(turns_.begin(), turns_.end(), std::size_t(0),
                               [](std::size_t sum, const Turns& turns) { return sum + turns.size(); });
    }
    bool has_costly() const { return turns_[costly].size() + turns_[unbegun_costly].size() > 0; }
    double work() const { return work_; }

    /// Estimates in seconds how long all waiting messages will take.
    double wait_s() const { return time_of(work_); }

    /// Estimates in seconds how long the last message will wait.
    double wait_s_of_last() const;

    /// Estimates in seconds how long this caller's next message will wait.
    double wait_s(const Account& caller) const { return time_of(before(caller, 0)); }

    /// Estimates in seconds when this caller's next message of `work` seconds, taken in slices, would be completely
    /// served.
    double served_s(const Account& caller, double work) const;

private:
    static constexpr double believed_s = 0.02;  // as if so much had been taken in no time

    enum Kind { plain, unbegun, costly, unbegun_costly, kinds };

    static Kind kind_of(const Message& message);
    Turns& standing(const Message& message) { return turns_[kind_of(message)]; }
    void count(const Message& message, double work);
    void forget(Message& message);
    double before(const Account& caller, double work) const;
    double time_of(double work) const { return rate_work_ > 0 ? work * rate_s_ / rate_work_ : 0; }

    std::array<Turns, kinds> turns_;
    struct Waiting {
        double work = 0;
        std::size_t messages = 0;
    };

    std::unordered_map<const Account*, Waiting>
        waiting_;  // of callers and of their networks, with that of messages that stand apart
    double work_ = 0;
    // Taken lately, and in what time, while something waited. A line of which little was seen is believed to be quick: else
    // one pause at its beginning would be all that is known of it, and refuse everybody.
    double rate_work_ = believed_s, rate_s_ = 0;
    double moved_at_ = 0;
    bool was_waiting_ = false;  // after the last take
};

}  // namespace transport
