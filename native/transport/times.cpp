// A connection's times: what is over by itself, and when that is next to be looked at.
#include <algorithm>
#include <limits>

#include "connection.hpp"

namespace transport {
namespace {
constexpr double last_read_s = 2;  // that callers of a draining server may leave their answers unread
constexpr double last_call_s = 1;  // between the notice that a connection is to end and its last stream
}  // namespace

/// Has its times looked at then, if not sooner.
void Connection::look_at(double time) {
    due_ = std::min(due_, time);
    state_.due = std::min(state_.due, time);
}

/// Returns for how long a caller may read nothing of what it is answered.
double Connection::stall_s() const {
    return state_.is_draining ? std::min(state_.limits.stall_s, last_read_s) : state_.limits.stall_s;
}

/// Returns whether `when` has come. Where it hasn't, its times are looked at again then.
bool Connection::has_come(double when, double time) {
    if (time < when) look_at(when);
    return time >= when;
}

bool Connection::tick(double time) {
    if (time < due_) return true;
    due_ = std::numeric_limits<double>::infinity();
    if (has_come(ends_at_, time)) return false;
    if (is_closed_) return true;
    if (!has_begun_ || !channel_.is_ready()) return !has_come(began_ + state_.limits.handshake_s, time);
    if (!out_.empty() && has_come(wrote_at_ + stall_s(), time)) return false;
    tick_calls(time);
    if (!tick_keepalive(time)) return false;
    tick_leaving(time);
    return true;
}

/// Ends the calls whose callers have read nothing for too long, and those that take no place and never send their request.
void Connection::tick_calls(double time) {
    const Limits& limits = state_.limits;
    for (auto next = calls_.begin(); next != calls_.end();) {
        Call& call = *next++->second;
        if (!call.out.empty() && has_come(call.progressed + stall_s(), time)) {
            nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, call.stream, NGHTTP2_CANCEL);
            list();
        }
        const bool may_be_slow = !state_.is_metered(call) && waits_for_request(call);
        if (may_be_slow && has_come(call.arrived + limits.handshake_s, time)) refuse(call, "slow");
    }
}

/// Asks a silent peer whether it is there; false where it hasn't answered in time.
bool Connection::tick_keepalive(double time) {
    const Limits& limits = state_.limits;
    if (pinged_at_ > 0 && read_at_ >= pinged_at_) pinged_at_ = 0;
    if (pinged_at_ == 0 && limits.keepalive_s > 0 && has_come(read_at_ + limits.keepalive_s, time)) {
        nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
        pinged_at_ = time;
        list();
        look_at(time + limits.keepalive_s);  // where it answers, that is when it is asked again
    }
    return pinged_at_ == 0 || !has_come(pinged_at_ + limits.keepalive_timeout_s, time);
}

/// Counts pings that come too often (as gRPC's own servers do, github.com/grpc/grpc/blob/master/doc/keepalive.md).
void Connection::received_ping() {
    const double time = now();
    if (time - ping_came_at_ < state_.limits.min_ping_s && ++strikes_ > state_.limits.ping_strikes) {
        go_away(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
        is_expelled_ = true;
        ends_at_ = std::min(ends_at_, time + linger_s);
        look_at(ends_at_);
    }
    ping_came_at_ = time;
}

/// Has a connection end that is idle or old: its peer is told twice, so that no call is lost that is on its way meanwhile.
void Connection::tick_leaving(double time) {
    const Limits& limits = state_.limits;
    if (!is_leaving_) {
        const bool is_idle = limits.idle_s > 0 && calls_.empty() && has_come(idle_since_ + limits.idle_s, time);
        const bool is_old = max_age_s_ > 0 && has_come(began_ + max_age_s_, time);
        if (!is_idle && !is_old) return;
        is_leaving_ = true;
        leaving_at_ = time;
        ends_at_ = std::min(ends_at_, time + last_call_s + limits.age_grace_s);
        look_at(ends_at_);
        nghttp2_submit_shutdown_notice(session_);
        list();
    }
    if (!has_left_ && has_come(leaving_at_ + last_call_s, time)) {
        go_away();
        list();
    }
}

}  // namespace transport
