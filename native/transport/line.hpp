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
/// other's first one. Also estimates how long a newcomer would wait, by how fast the line has lately moved.
class Line {
public:
    void put(Message& message);
    void remove(Message& message);

    /// Removes and returns the message whose turn it is, or null.
    Message* take_message();

    /// Returns the message whose turn it is, or null.
    Message* first() const { return order_.empty() ? nullptr : std::get<Message*>(*order_.begin()); }

    /// Returns the message whose turn is after all others', or null.
    Message* last() const { return order_.empty() ? nullptr : std::get<Message*>(*order_.rbegin()); }

    /// Returns how much of a caller's waits, in bytes with what a message costs besides its own.
    double waiting(std::uint64_t caller) const;

    /// Forgets a caller, of whom nothing waits.
    void leave(std::uint64_t caller) { flows_.erase(caller); }

    /// Notes that `bytes` were taken at `now`, by one call of take_messages' caller.
    void moved(std::size_t bytes, double now);

    std::size_t size() const { return order_.size(); }
    std::size_t bytes() const { return bytes_; }

    /// Estimates in seconds how long all that waits will take.
    double wait_s() const { return time_of(double(bytes_)); }

    /// Estimates how long all that waits will take before the turn of the last comes.
    double wait_s_of_last() const;

    /// Estimates how long what stands before this caller's next message will take.
    double wait_s(std::uint64_t caller) const;

private:
    struct Flow {
        double end = 0;          // virtual time at which the last of its messages ends
        double waiting = 0;      // work of those that wait
    };

    using Entry = std::tuple<double, std::uint64_t, Message*>;  // tag, message's id

    void forget(Message& message);
    double time_of(double work) const { return rate_bytes_ > 0 ? work * rate_s_ / rate_bytes_ : 0; }

    std::set<Entry> order_;
    std::unordered_map<std::uint64_t, Flow> flows_;
    double virtual_time_ = 0;
    std::size_t bytes_ = 0;
    double rate_bytes_ = 0, rate_s_ = 0;  // taken lately, and in what time, while something waited
    double moved_at_ = 0;
    bool was_waiting_ = false;            // after the last take
};

}  // namespace transport
