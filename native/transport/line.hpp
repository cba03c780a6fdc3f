// Messages that wait to be taken, in turns of their networks and callers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <unordered_map>

#include "account.hpp"
#include "turns.hpp"

namespace transport {

constexpr double costly_s = 0.002;  // from which on what can't be cut would keep a thread for long

/// Which messages one who comes to take may have.
struct Allowed {
    bool begin = true;   // long ones of which nothing was taken
    bool costly = true;  // those that would keep a thread for long, and can't be cut
};

/// Messages are estimated when they come, in seconds of a core, and charged to their caller's account as they are taken; once it is known
/// what they took, that is corrected (Transport::answer). A long message may be taken in slices, and others have their turns between
/// them. Also estimates how long a newcomer would wait, by how fast the line has lately moved.
class Line {
public:
    /// Has a message wait here. Where there is no memory for that, nothing has changed.
    void put(Message& message);
    void remove(Message& message);

    /// Removes and returns the message whose turn it is, or null.
    Message* take_message();

    /// Removes what waits of a message that stands in the line.
    void take(Message& message);

    /// Takes so many seconds of a message, of which more waits.
    void take_slice(Message& message, double work);

    /// Has a message stand apart, as if it waited, while it is made ready to be taken in slices.
    void set_apart(Message& message) { standing(message).remove(message); }

    /// Has it stand in the line again.
    void put_back(Message& message) { standing(message).add(message); }

    /// Changes how long what waits of a message, which stands apart, will take.
    void estimate_anew(Message& message, double work);

    /// Returns the message whose turn it is, or null.
    Message* first(Allowed allowed = {});

    /// Returns the newest message of who has had the most, or null.
    Message* last() const;

    /// Returns how much of a caller's or a network's waits, in seconds.
    double waiting(const Account& account) const;

    /// Returns how many messages of them wait.
    std::size_t messages(const Account& account) const;

    /// Notes that so much work was taken at `now`, by one call of take_messages' caller.
    void moved(double work, double now);

    /// Does `act` to each long message of which nothing was taken.
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

    /// Estimates in seconds how long all that waits will take.
    double wait_s() const { return time_of(work_); }

    /// Estimates how long all that waits will take before the turn of the last comes.
    double wait_s_of_last() const;

    /// Estimates how long what stands before this caller's next message will take.
    double wait_s(const Account& caller) const { return time_of(before(caller, 0)); }

    /// Estimates how long it will take until the last of this caller's next message of so much work, taken in slices, is served.
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

    std::unordered_map<const Account*, Waiting> waiting_;  // of callers and of their networks, with that of messages that stand apart
    double work_ = 0;
    // Taken lately, and in what time, while something waited. A line of which little was seen is believed to be quick: else
    // one pause at its beginning would be all that is known of it, and refuse everybody.
    double rate_work_ = believed_s, rate_s_ = 0;
    double moved_at_ = 0;
    bool was_waiting_ = false;  // after the last take
};

}  // namespace transport
