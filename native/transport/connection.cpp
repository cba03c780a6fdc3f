// A connection's bytes, and how long it may stay.
#include "connection.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <random>
#include <span>
#include <utility>

namespace transport {
namespace {

constexpr std::size_t most_unsent = 1 << 18;   // bytes taken out of HTTP/2 that the socket hasn't taken
constexpr std::size_t most_queued = 2048;      // frames that wait to be sent, besides four a call
constexpr int most_reads = 16;                  // before the other connections have their turn
constexpr std::uint32_t connection_window = 4 << 20;
// nghttp2's own limit would cut honest callers off whose deadlines pass: 1,000 resets, and 33 a second.
constexpr std::uint64_t reset_burst = 4096, resets_per_s = 2048;
constexpr std::size_t most_continuations = 8;

/// A tenth more or less, so that connections that began together don't end together.
double jittered(double seconds) {
    static thread_local std::minstd_rand random{std::random_device{}()};
    return seconds * std::uniform_real_distribution(0.9, 1.1)(random);
}

}  // namespace

Connection::Connection(State& state, int socket, std::uint64_t number, Network& from, const std::shared_ptr<Tls>& tls)
    : id(number), network(from), state_(state), channel_(socket, tls), began_(now()), read_at_(began_), wrote_at_(began_), idle_since_(began_),
      used_at_(began_),
      ends_at_(std::numeric_limits<double>::infinity()), due_(ends_at_) {
    static nghttp2_session_callbacks* const called = callbacks();
    const Limits& limits = state_.limits;
    max_age_s_ = jittered(limits.age_s);
    look_at(began_ + limits.handshake_s);
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
    state_.unmetered.leave(id);
    state_.unread_bytes -= unread_bytes_;
    state_.connections.erase(this);
    --network.connections;
}

bool Connection::receive(double until) {
    if (is_half_closed_) return true;
    static thread_local std::array<std::uint8_t, 1 << 14> room;  // of calls that are refused, half a millisecond
    for (int reads = 0; reads < most_reads; ++reads) {
        std::size_t count = 0;
        // What TLS has unpacked is read whole: its socket says nothing more of that.
        const std::size_t most = channel_.is_encrypted() ? room.size() : overhead_.piece(room.size());
        const Channel::Result result = channel_.read(std::span(room).first(most), count);
        if (result == Channel::Result::ended) return false;
        if (result == Channel::Result::later) return true;
        if (result == Channel::Result::closed) return half_close();
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
            note_unread(std::size_t(count), 0);
        }
        if (out_.empty()) break;
        std::size_t count = 0;
        const Channel::Result result = channel_.write(out_.view(), count);
        if (result == Channel::Result::ended) return false;
        if (result == Channel::Result::later) {
            look_at(wrote_at_ + stall_s());
            return true;
        }
        out_.drop(count);
        note_unread(0, count);
        wrote_ += count;
        if (out_.empty() || wrote_ >= least_progress) {
            wrote_ = 0;
            wrote_at_ = now();
        }
        state_.sent_bytes += count;
        overhead_.sent(count);
    }
    owes_ = false;
    if (is_half_closed_ && !is_busy()) return false;  // what more there is could be sent if its peer said that it may
    const bool goes_on = nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_);
    if (!goes_on || (has_left_ && (calls_.empty() || is_expelled_))) close_write();
    return true;
}

void Connection::note_unread(std::size_t more, std::size_t less) {
    unread_bytes_ += more - less;
    state_.unread_bytes += more - less;
}

/// Goes on where its peer says nothing more, and there is something to be answered or read; false where there isn't. A peer that has left
/// altogether resets the connection for what it is sent.
bool Connection::half_close() {
    if (is_closed_ || (!is_busy() && unread_bytes_ == 0)) return false;
    is_half_closed_ = true;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    return true;
}

/// Ends the connection, and leaves its peer time to read: a socket closed at once would take back what it hasn't read.
void Connection::close_write() {
    channel_.close_write();
    is_closed_ = true;
    ends_at_ = std::min(ends_at_, now() + linger_s);
    look_at(ends_at_);
    while (!calls_.empty()) forget(*calls_.begin()->second);  // HTTP/2 is asked nothing more
}

/// Ends the connection where headers come of a call that its peer has ended (RFC 9113, 5.1) or of one that it has passed over
/// (5.1.1), of which nghttp2 keeps no list. Of a call that was reset here, its peer may not know yet. (Of DATA to a call that has
/// ended nghttp2 tells nobody: it is dropped.)
void Connection::begin_frame(const nghttp2_frame_hd& frame) {
    const std::int32_t stream = frame.stream_id;
    if (frame.type != NGHTTP2_HEADERS || stream % 2 == 0 || stream > last_stream_ || calls_.contains(stream)) return;
    const auto found = std::find_if(closed_.begin(), closed_.end(), [&](std::int32_t each) { return std::abs(each) == stream; });
    if (found != closed_.end() && *found < 0) return;
    nghttp2_session_terminate_session(session_, found == closed_.end() ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_STREAM_CLOSED);
}

void Connection::go_away(std::uint32_t why, std::string_view words) {
    if (std::exchange(has_left_, true)) return;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), why,
                          reinterpret_cast<const std::uint8_t*>(words.data()), words.size());
}

}  // namespace transport
