// Times in seconds, and when the next of them comes.
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

namespace transport {

constexpr double never = std::numeric_limits<double>::infinity();

/// Returns the time in seconds, by the clock of Python's time.monotonic.
inline double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Earliest time at which something has to be checked, for one connection and for everything that it belongs to.
class DueTime {
public:
    explicit DueTime(DueTime* whole = nullptr) : whole_(whole) {}

    /// Requests a check at this time, if none is due sooner.
    void by(double time) {
        time_ = std::min(time_, time);
        if (whole_) whole_->by(time);
    }

    /// Returns whether `when` has passed at `time`. If not, requests a check at that time.
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
