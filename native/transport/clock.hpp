// Times in seconds, and when the next of them comes.
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

namespace transport {

constexpr double never = std::numeric_limits<double>::infinity();

/// Seconds of the clock that Python's time.monotonic reads.
inline double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A time before which nothing happens by itself: of one connection, and with it of all that it belongs to.
class DueTime {
public:
    explicit DueTime(DueTime* whole = nullptr) : whole_(whole) {}

    /// Has something looked at then, if not sooner.
    void by(double time) {
        time_ = std::min(time_, time);
        if (whole_) whole_->by(time);
    }

    /// Returns whether `when` has come. Where it hasn't, it is looked at then.
    bool has_come(double when, double time) {
        if (time < when) by(when);
        return time >= when;
    }

    void clear() { time_ = never; }
    double time() const { return time_; }

private:
    DueTime* const whole_;
    double time_ = never;
};

}  // namespace transport
