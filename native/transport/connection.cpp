// A connection's bytes, and its timeouts: what ends by itself, and when to look for that again.
#include "connection.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <span>
#include <utility>

#include "http1_session.hpp"
#include "http2_session.hpp"

namespace transport {
namespace {

constexpr std::size_t max_unsent = 1 << 18;  // bytes taken out of the session that the socket hasn't taken
constexpr std::string_view preface =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // with which HTTP/2 begins, and no other request
constexpr int max_reads = 16;                // before the other connections have their turn
constexpr std::size_t max_at_once = 1 << 19;  // bytes that are sent, likewise
constexpr std::size_t min_direct = 1 << 14;
constexpr std::size_t max_made = 1 << 15;  // bytes of answers that are copied, to be written while the lock is free
constexpr double last_call_s = 1;  // between the notice that a connection is to end and its last stream

/// Returns what `act` returns, which is whether the connection of `peer` goes on; false if it throws.
template <class Act>
bool goes_on(Peer& peer, const Act& act) noexcept REQUIRES(the_lock) {
    try {
        return act();
    } catch (...) {
        peer.ends_for(EventKind::no_memory);
        return false;
    }
}

/// Varies a duration by up to a tenth, so that connections that began together don't end together.
double jittered(double seconds) {
    static thread_local std::minstd_rand random{std::random_device{}()};
    return seconds * std::uniform_real_distribution(0.9, 1.1)(random);
}

}  // namespace

Connection::Connection(Shared& shared, Descriptor socket, std::uint64_t id, Network& network,
                       const std::shared_ptr<Tls>& tls, PeerAddress peer_address)
    : shared_(shared),
      peer_(shared, id, network, std::move(peer_address)),
      channel_(std::move(socket), tls),
      began_(now()),
      max_age_s_(peer_.peer_address.is_http ? 0 : jittered(shared.settings.limits.age_s)),
      read_at_(began_),
      wrote_at_(began_) {
    if (!peer_.peer_address.is_http) session_ = std::make_unique<Http2Session>(peer_);
    peer_.due.by(began_ + shared.settings.limits.caller_timeout_s);
}

bool Connection::receive(double until, const Incoming& incoming) noexcept {
    return goes_on(peer_, [&]() REQUIRES(the_lock) { return read_some(until, incoming); });
}

bool Connection::send() noexcept {
    if (is_being_written_) return true;  // by whoever sends the rest, too
    return !has_lost_some_ && goes_on(peer_, [&]() REQUIRES(the_lock) { return send_ready(); });
}

bool Connection::tick(double time) noexcept {
    if (time < peer_.due.time()) return true;
    return goes_on(peer_, [&]() REQUIRES(the_lock) { return check_timeouts(time); });
}

void Connection::begin_reading(Incoming& incoming, std::span<std::uint8_t> room) const {
    if (channel_.is_encrypted() || !wants_to_read()) return;
    incoming.socket = channel_.shared_socket();
    incoming.room = room.first(peer_.overhead.piece(room.size()));
}

bool Connection::read_some(double until, const Incoming& incoming) {
    static thread_local std::array<std::uint8_t, 1 << 14> room;  // of calls that are refused, half a millisecond
    auto read = Read::more;
    if (incoming.socket)
        read = take_in(incoming.result, incoming.room.first(incoming.count), incoming.count == incoming.room.size(),
                       until);
    for (int reads = 0; reads < max_reads && read == Read::more && wants_to_read(); ++reads) {
        std::size_t count = 0;
        // What TLS has unpacked is read whole: its socket says nothing more of that.
        const std::size_t most = channel_.is_encrypted() ? room.size() : peer_.overhead.piece(room.size());
        const Channel::Result result = channel_.read(std::span(room).first(most), count);
        read = take_in(result, std::span(room).first(count), count == most || channel_.is_encrypted(), until);
    }
    return read != Read::ended;
}

/// Handles what was read; `is_full`: there may be more.
Connection::Read Connection::take_in(Channel::Result result, std::span<const std::uint8_t> bytes, bool is_full,
                                     double until) {
    if (result == Channel::Result::ended)
        return over(channel_.is_ready() ? EventKind::left : EventKind::no_handshake), Read::ended;
    if (result == Channel::Result::later) return Read::enough;
    if (result == Channel::Result::closed) return half_close() ? Read::enough : Read::ended;
    const double time = now();
    peer_.overhead.came(bytes.size(), time - std::exchange(read_at_, time));
    if (std::exchange(pinged_at_, 0) > 0) peer_.due.by(time + shared_.settings.limits.keepalive_s);
    shared_.begun.received_bytes += bytes.size();
    if (is_closed_) return Read::more;  // only its end is waited for
    if (!take_in({reinterpret_cast<const char*>(bytes.data()), bytes.size()}))
        return over(EventKind::malformed), Read::ended;
    if (peer_.refused > 0 || peer_.overhead.is_much() || read_at_ > until) return Read::enough;  // more can wait
    return is_full ? Read::more : Read::enough;  // else the socket holds no more
}

/// Processes received bytes, once the peer's protocol is known.
bool Connection::take_in(std::string_view bytes) {
    if (session_) return session_->receive(bytes);
    first_.append(bytes);
    if (first_.size() < preface.size() && preface.starts_with(first_)) return true;
    if (first_.starts_with(preface)) session_ = std::make_unique<Http2Session>(peer_);
    else session_ = std::make_unique<Http1Session>(peer_);
    return session_->receive(std::exchange(first_, {}));
}

/// Handles a peer that sends nothing more: goes on if something is to be answered or read, and returns false otherwise.
/// A peer that has left completely resets the connection when it is sent something.
bool Connection::half_close() {
    if (is_closed_ || (!is_busy() && peer_.unread.used() == 0)) return false;
    is_half_closed_ = true;
    hang_up();
    return true;
}

void Connection::hang_up() {
    if (!std::exchange(has_hung_up_, true) && session_) session_->hung_up();
}

bool Connection::send_ready() {
    peer_.unlist();
    has_more_ = false;
    if (is_closed_ || !session_) return true;
    const double began = now();
    const std::uint64_t before = shared_.begun.sent_bytes;
    const Sent sent = send_some();
    peer_.charge(now() - began, shared_.begun.sent_bytes - before, shared_.all->sent);
    return is_sent(sent);
}

/// Does what follows once something was sent; returns false if the connection has ended.
bool Connection::is_sent(Sent sent) {
    if (sent == Sent::over) return false;
    has_more_ = sent == Sent::more;
    if (sent != Sent::all) return true;
    peer_.owes = false;
    if (is_half_closed_ && !is_busy()) return false;  // what more there is could be sent if its peer said that it may
    if (session_->is_over()) close_write();
    return true;
}

bool Connection::make_ready(Outgoing& outgoing) noexcept {
    if (is_closed_ || !session_ || channel_.is_encrypted() || !out_.empty() || peer_.unread.used() > max_made)
        return false;
    const double began = now();
    bool is_all = false;
    has_lost_some_ = !goes_on(peer_, [&]() REQUIRES(the_lock) { return is_all = fill_out(), true; });
    if (out_.empty() || !is_all) return false;  // `send` sees the same
    peer_.unlist();
    has_more_ = false;
    outgoing.id = id();
    outgoing.socket = channel_.shared_socket();
    outgoing.bytes = std::exchange(out_, {});
    outgoing.took_s = now() - began;
    peer_.charge_ahead(outgoing.bytes.size(), shared_.all->sent);
    is_being_written_ = true;
    return true;
}

/// Takes all that is ready out of the session; returns false if there is more, or the connection has ended.
bool Connection::fill_out() {
    wrote_at_ = now();
    while (out_.size() <= 2 * max_made) {
        const auto bytes = session_->next();
        if (!bytes) return false;
        if (bytes->empty()) return true;
        out_.append(*bytes);
        peer_.unread.use(bytes->size());
    }
    return false;
}

bool Connection::wrote(Outgoing& outgoing) noexcept {
    is_being_written_ = false;
    if (outgoing.result == Channel::Result::ended) return false;
    channel_.wrote(outgoing.result);
    outgoing.bytes.drop(outgoing.count);
    out_ = std::move(outgoing.bytes);
    peer_.unread.give_back(outgoing.count);
    note_sent(outgoing.count);
    Peer::took(outgoing.took_s, outgoing.count, shared_.all->sent);
    if (outgoing.result == Channel::Result::later) peer_.due.by(wrote_at_ + peer_.stall_s());
    if (!out_.empty() && outgoing.result == Channel::Result::some) list();
    const bool is_all = out_.empty() && !peer_.is_listed();  // else more has become ready meanwhile
    return goes_on(peer_, [&]() REQUIRES(the_lock) { return is_sent(is_all ? Sent::all : Sent::later); });
}

/// Sends as much as the socket takes, or as much as one connection may before others have their turn. Returns `all` if
/// nothing is left, `more` if others have their turn first, `later` if the socket is full, `over` if the connection has
/// ended.
Connection::Sent Connection::send_some() {
    for (std::size_t written = 0;;) {
        while (out_.size() < max_unsent) {
            const auto bytes = session_->next();
            if (!bytes) return Sent::over;
            if (bytes->empty()) break;
            std::size_t count = 0;
            if (out_.empty()) wrote_at_ = now();
            // What is long is sent from where it is.
            if (out_.empty() && bytes->size() >= min_direct && !channel_.is_encrypted()) {
                if (channel_.write(*bytes, count) == Channel::Result::ended) return Sent::over;
                note_sent(count);
                written += count;
            }
            out_.append(bytes->substr(count));
            peer_.unread.use(bytes->size() - count);
            if (written >= max_at_once) break;
        }
        if (out_.empty() && written < max_at_once) return Sent::all;
        if (written >= max_at_once) return Sent::more;
        std::size_t count = 0;
        const Channel::Result result = channel_.write(out_.view(), count);
        if (result == Channel::Result::ended) return Sent::over;
        if (result == Channel::Result::later) {
            peer_.due.by(wrote_at_ + peer_.stall_s());
            return Sent::later;
        }
        out_.drop(count);
        peer_.unread.give_back(count);
        note_sent(count);
        written += count;
    }
}

void Connection::note_sent(std::size_t bytes) {
    wrote_ += bytes;
    if (out_.empty() || wrote_ >= min_progress) {
        wrote_ = 0;
        wrote_at_ = now();
    }
    shared_.begun.sent_bytes += bytes;
    peer_.overhead.sent(bytes);
}

/// Ends the connection, but leaves its peer time to read: closing a socket at once would discard what the peer hasn't
/// read.
void Connection::close_write() {
    channel_.close_write();
    peer_.ends_for(EventKind::done);
    is_closed_ = true;
    ends_at_ = std::min(ends_at_, now() + linger_s);
    peer_.due.by(ends_at_);
    peer_.forget_all();  // the session is asked nothing more
}

void Connection::give_place_up() {
    peer_.refuse_all();
    go_away();
    send();
}

bool Connection::check_timeouts(double time) {
    peer_.due.clear();
    if (peer_.due.has_come(session_ ? std::min(ends_at_, session_->ends_at()) : ends_at_, time))
        return over(has_hung_up_ ? EventKind::left : EventKind::slow);
    if (is_closed_) return true;
    if (!session_ || !session_->has_begun() || !channel_.is_ready())
        return !peer_.due.has_come(began_ + shared_.settings.limits.caller_timeout_s, time) || over(EventKind::slow);
    if (!out_.empty() && peer_.due.has_come(wrote_at_ + peer_.stall_s(), time)) return over(EventKind::unread);
    peer_.end_stalled_calls(time);
    if (!tick_keepalive(time)) return over(EventKind::silent);
    tick_leaving(time);
    return true;
}

/// Pings a silent peer; returns false if it hasn't answered in time.
bool Connection::tick_keepalive(double time) {
    const Limits& limits = shared_.settings.limits;
    if (pinged_at_ == 0 && limits.keepalive_s > 0 && peer_.due.has_come(read_at_ + limits.keepalive_s, time)) {
        if (!session_->ping()) return true;
        pinged_at_ = time;
        list();
    }
    return pinged_at_ == 0 || !peer_.due.has_come(pinged_at_ + limits.keepalive_timeout_s, time);
}

/// Ends a connection that is idle or old. Its peer is told twice, so that no call is lost that is on its way.
void Connection::tick_leaving(double time) {
    const Limits& limits = shared_.settings.limits;
    if (!is_leaving_) {
        const bool is_idle =
            peer_.idle_s() > 0 && peer_.is_idle() && peer_.due.has_come(peer_.idle_since + peer_.idle_s(), time);
        const bool is_old = max_age_s_ > 0 && peer_.due.has_come(began_ + max_age_s_, time);
        if (!is_idle && !is_old) return;
        is_leaving_ = true;
        peer_.ends_for(is_idle ? EventKind::idle : EventKind::old);
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
