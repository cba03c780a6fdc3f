// A connection's timeouts: what ends by itself, and when to look for that again.
#include <algorithm>

#include "connection.hpp"

namespace transport {
namespace {
constexpr double last_call_s = 1;  // between the notice that a connection is to end and its last stream
}  // namespace

bool Connection::tick(double time) {
    if (time < peer_.due.time()) return true;
    peer_.due.clear();
    if (peer_.due.has_come(session_ ? std::min(ends_at_, session_->ends_at()) : ends_at_, time)) return false;
    if (is_closed_) return true;
    if (!session_ || !session_->has_begun() || !channel_.is_ready())
        return !peer_.due.has_come(began_ + shared_.settings.limits.caller_timeout_s, time);
    if (!out_.empty() && peer_.due.has_come(wrote_at_ + peer_.stall_s(), time)) return false;
    peer_.end_stalled_calls(time);
    if (!tick_keepalive(time)) return false;
    tick_leaving(time);
    return true;
}

/// Asks a silent peer whether it is there; false where it hasn't answered in time.
bool Connection::tick_keepalive(double time) {
    const Limits& limits = shared_.settings.limits;
    if (pinged_at_ > 0 && read_at_ >= pinged_at_) pinged_at_ = 0;
    if (pinged_at_ == 0 && limits.keepalive_s > 0 && peer_.due.has_come(read_at_ + limits.keepalive_s, time)) {
        if (!session_->ping()) return true;
        pinged_at_ = time;
        list();
        peer_.due.by(time + limits.keepalive_s);  // where it answers, that is when it is asked again
    }
    return pinged_at_ == 0 || !peer_.due.has_come(pinged_at_ + limits.keepalive_timeout_s, time);
}

/// Has a connection end that is idle or old: its peer is told twice, so that no call is lost that is on its way
/// meanwhile.
void Connection::tick_leaving(double time) {
    const Limits& limits = shared_.settings.limits;
    if (!is_leaving_) {
        const bool is_idle =
            peer_.idle_s() > 0 && peer_.is_idle() && peer_.due.has_come(peer_.idle_since + peer_.idle_s(), time);
        const bool is_old = max_age_s_ > 0 && peer_.due.has_come(began_ + max_age_s_, time);
        if (!is_idle && !is_old) return;
        is_leaving_ = true;
        leaving_at_ = time;
        ends_at_ = std::min(ends_at_, time + last_call_s + limits.age_grace_s);
        peer_.due.by(ends_at_);
        session_->announce_end();
        list();
    }
    if (!has_left_ && peer_.due.has_come(leaving_at_ + last_call_s, time)) {
        has_left_ = true;
        go_away();
        list();
    }
}

}  // namespace transport
