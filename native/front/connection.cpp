// A connection's bytes, and how long it may stay.
#include "connection.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <span>
#include <utility>

namespace front {
namespace {

constexpr std::size_t most_unsent = 1 << 18;   // bytes taken out of HTTP/2 that the socket hasn't taken
constexpr std::size_t most_queued = 2048;      // frames that wait to be sent, besides four a call
constexpr int most_reads = 16;                  // before the other connections have their turn
constexpr std::uint32_t connection_window = 4 << 20;
// nghttp2's own limit would cut honest callers off whose deadlines pass: 1,000 resets, and 33 a second.
constexpr std::uint64_t reset_burst = 4096, resets_per_s = 2048;
constexpr std::size_t most_continuations = 8;
constexpr double last_call_s = 1;              // between the notice that a connection is to end and its last stream

/// A tenth more or less, so that connections that began together don't end together.
double jittered(double seconds) {
    static thread_local std::minstd_rand random{std::random_device{}()};
    return seconds * std::uniform_real_distribution(0.9, 1.1)(random);
}

}  // namespace

Connection::Connection(State& state, int socket, std::uint64_t number, Network& from, const std::shared_ptr<Tls>& tls)
    : id(number), network(from), state_(state), channel_(socket, tls), began_(now()), read_at_(began_), wrote_at_(began_), idle_since_(began_),
      used_at_(began_),
      ends_at_(std::numeric_limits<double>::infinity()) {
    static nghttp2_session_callbacks* const called = callbacks();
    const Limits& limits = state_.limits;
    max_age_s_ = jittered(limits.age_s);
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_stream_reset_rate_limit(options, reset_burst, resets_per_s);
    nghttp2_option_set_max_continuations(options, most_continuations);
    nghttp2_session_server_new2(&session_, called, this, options);
    nghttp2_option_del(options);
    const std::array<nghttp2_settings_entry, 3> entries{{
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, std::uint32_t(limits.window_bytes)},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, std::uint32_t(limits.max_streams)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, std::uint32_t(limits.max_header_bytes)},
    }};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
    state_.connections.insert(this);
    ++network.connections;
    ++state_.connections_begun;
}

Connection::~Connection() {
    while (!calls_.empty()) forget(*calls_.begin()->second);  // nghttp2 closes no streams at a session's end
    nghttp2_session_del(session_);
    state_.line.leave(id);
    state_.small.leave(id);
    state_.probes.leave(id);
    state_.connections.erase(this);
    --network.connections;
}

bool Connection::receive(double until) {
    static thread_local std::array<std::uint8_t, 1 << 14> room;  // of calls that are refused, half a millisecond
    for (int reads = 0; reads < most_reads; ++reads) {
        std::size_t count = 0;
        // What TLS has unpacked is read whole: its socket says nothing more of that.
        const std::size_t most = channel_.is_encrypted() ? room.size() : overhead_.piece(room.size());
        const Channel::Result result = channel_.read(std::span(room).first(most), count);
        if (result == Channel::Result::ended) return false;
        if (result == Channel::Result::later) return true;
        const double time = now();
        overhead_.came(count, time - std::exchange(read_at_, time));
        state_.received_bytes += count;
        if (is_closed_) continue;  // only its end is waited for
        if (nghttp2_session_mem_recv2(session_, room.data(), count) < 0) return false;
        // Who has much done and reads nothing of it: nghttp2 bounds answers to pings and settings, but not all that it sends.
        if (nghttp2_session_get_outbound_queue_size(session_) > most_queued + 4 * state_.limits.max_streams) return false;
        if (refused_ > 0 || overhead_.is_much() || read_at_ > until) return true;  // more of that can wait
    }
    return true;
}

void Connection::list() {
    if (!std::exchange(is_listed_, true)) state_.listed.push_back(id);
}

bool Connection::send() {
    is_listed_ = false;
    if (is_closed_) return true;
    while (true) {
        while (out_.size() < most_unsent) {
            const std::uint8_t* bytes = nullptr;
            const nghttp2_ssize count = nghttp2_session_mem_send2(session_, &bytes);
            if (count < 0) return false;
            if (count == 0) break;
            if (out_.empty()) wrote_at_ = now();
            out_.append({reinterpret_cast<const char*>(bytes), std::size_t(count)});
        }
        if (out_.empty()) break;
        std::size_t count = 0;
        const Channel::Result result = channel_.write(out_.view(), count);
        if (result == Channel::Result::ended) return false;
        if (result == Channel::Result::later) return true;
        out_.drop(count);
        wrote_at_ = now();
        state_.sent_bytes += count;
        overhead_.sent(count);
    }
    const bool goes_on = nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_);
    if (!goes_on || (has_left_ && (calls_.empty() || is_expelled_))) close_write();
    return true;
}

/// Ends the connection, and leaves its peer time to read: a socket closed at once would take back what it hasn't read.
void Connection::close_write() {
    channel_.close_write();
    is_closed_ = true;
    ends_at_ = std::min(ends_at_, now() + linger_s);
    while (!calls_.empty()) forget(*calls_.begin()->second);  // HTTP/2 is asked nothing more
}

bool Connection::tick(double time) {
    const Limits& limits = state_.limits;
    if (time >= ends_at_) return false;
    if (is_closed_) return true;
    if (!has_begun_ || !channel_.is_ready()) return time - began_ < limits.handshake_s;
    if (!out_.empty() && time - wrote_at_ > limits.stall_s) return false;
    for (auto next = calls_.begin(); next != calls_.end();) {
        Call& call = *next++->second;
        if (!call.out.empty() && time - call.progressed > limits.stall_s) {
            nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, call.stream, NGHTTP2_CANCEL);
        }
        if (!state_.takes_place(call) && waits_for_request(call) && time - call.arrived > limits.handshake_s) refuse(call, "slow");
    }
    if (pinged_at_ > 0 && read_at_ >= pinged_at_) pinged_at_ = 0;
    if (pinged_at_ > 0 && time - pinged_at_ > limits.keepalive_timeout_s) return false;
    if (pinged_at_ == 0 && limits.keepalive_s > 0 && time - read_at_ > limits.keepalive_s) {
        nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
        pinged_at_ = time;
    }
    const bool is_idle = limits.idle_s > 0 && calls_.empty() && time - idle_since_ > limits.idle_s;
    const bool is_old = max_age_s_ > 0 && time - began_ > max_age_s_;
    if (!is_leaving_ && (is_idle || is_old)) {
        is_leaving_ = true;
        leaving_at_ = time;
        ends_at_ = std::min(ends_at_, time + last_call_s + limits.age_grace_s);
        nghttp2_submit_shutdown_notice(session_);
    }
    if (is_leaving_ && !has_left_ && time - leaving_at_ > last_call_s) go_away();
    return true;
}

void Connection::go_away(std::uint32_t why, std::string_view words) {
    if (std::exchange(has_left_, true)) return;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), why,
                          reinterpret_cast<const std::uint8_t*>(words.data()), words.size());
}

}  // namespace front
