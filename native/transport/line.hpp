// Messages that wait to be taken, in a fair order of their callers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <tuple>
#include <unordered_map>

namespace transport {

struct Message;

/// Start-time fair queueing (Goyal et al., SIGCOMM 1996) with callers as flows and bytes as work: a message is tagged with the end
/// of its caller's one before, or with the virtual time where that is later. So a caller of a thousand messages stands before no
/// other's first one. A long message may be taken in slices: its tag grows by each, and others have their turns between them. Also
/// estimates how long a newcomer would wait, by how fast the line has lately moved.
class Line {
public:
    void put(Message& message);
    void remove(Message& message);

    /// Removes and returns the message whose turn it is, or null.
    Message* take_message();

    /// Removes what waits of a message that stands in the line.
    void take(Message& message);

    /// Takes so many bytes of a message, of which more waits.
    void take_slice(Message& message, std::size_t bytes);

    /// Has a message stand apart, as if it waited, while it is made ready to be taken in slices.
    void set_apart(Message& message) { standing(message).erase(entry(message)); }

    /// Has it stand in the line again.
    void put_back(Message& message) { standing(message).insert(entry(message)); }

    /// Returns the message whose turn it is, or null; `may_begin` says whether that may be a long one of which nothing was taken.
    Message* first(bool may_begin = true) const;

    /// Returns the message whose turn is after all others', or null.
    Message* last() const;

    /// Returns how much of a caller's waits, in bytes with what a message costs besides its own.
    double waiting(std::uint64_t caller) const;

    /// Forgets a caller, of whom nothing waits.
    void leave(std::uint64_t caller) { flows_.erase(caller); }

    /// Notes that `bytes` were taken at `now`, by one call of take_messages' caller.
    void moved(std::size_t bytes, double now);

    /// Does `act` to each long message of which nothing was taken.
    template <typename Act>
    void each_unbegun(const Act& act) const {
        for (const auto& [tag, id, message] : unbegun_) act(*message);
    }

    std::size_t size() const { return order_.size() + unbegun_.size(); }
    std::size_t bytes() const { return bytes_; }

    /// Estimates in seconds how long all that waits will take.
    double wait_s() const { return time_of(double(bytes_)); }

    /// Estimates how long all that waits will take before the turn of the last comes.
    double wait_s_of_last() const;

    /// Estimates how long what stands before this caller's next message will take.
    double wait_s(std::uint64_t caller) const { return time_of(before(caller, 0)); }

    /// Estimates how long it will take until the last of this caller's next message of so many bytes, taken in slices, is served.
    double served_s(std::uint64_t caller, std::size_t bytes) const;

private:
    static constexpr double believed_bytes = 16384;  // as if so many had been taken in no time: a few hundred sentences

    struct Flow {
        double end = 0;          // virtual time at which the last of its messages ends
        double waiting = 0;      // work of those that wait
    };

    using Entry = std::tuple<double, std::uint64_t, Message*>;  // tag, message's id

    static Entry entry(Message& message);
    std::set<Entry>& standing(const Message& message);
    void forget(Message& message);
    double before(std::uint64_t caller, double work) const;
    double time_of(double work) const { return rate_bytes_ > 0 ? work * rate_s_ / rate_bytes_ : 0; }

    std::set<Entry> order_, unbegun_;  // the latter: long ones of which nothing was taken
    std::size_t waiting_ = 0;          // messages, with those that stand apart
    std::unordered_map<std::uint64_t, Flow> flows_;
    double virtual_time_ = 0;
    std::size_t bytes_ = 0;
    // Taken lately, and in what time, while something waited. A line of which little was seen is believed to be quick: else
    // one pause at its beginning would be all that is known of it, and refuse everybody.
    double rate_bytes_ = believed_bytes, rate_s_ = 0;
    double moved_at_ = 0;
    bool was_waiting_ = false;            // after the last take
};

}  // namespace transport
