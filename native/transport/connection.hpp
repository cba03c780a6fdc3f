// One caller's connection: its bytes, and how long it may stay. What the bytes say is its session's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "channel.hpp"
#include "incoming.hpp"
#include "outgoing.hpp"
#include "peer.hpp"
#include "session.hpp"

namespace transport {

/// Whatever fails here, for lack of memory or another reason, ends this connection and no other.
class Connection {
public:
    Connection(Shared& shared, Descriptor socket, std::uint64_t id, Network& network, const std::shared_ptr<Tls>& tls,
               PeerAddress peer_address = {}) REQUIRES(the_lock);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    std::uint32_t watched = 0;  // events that epoll watches for
    double rests_until = 0;  // and is not read meanwhile; 0 where it doesn't rest
    RecentUse reading;

    void list() REQUIRES(the_lock) { peer_.list(); }

    /// Prepares a read of its first bytes while the lock is free. Does nothing where they are encrypted, or aren't read
    /// now.
    void begin_reading(Incoming& incoming, std::span<std::uint8_t> room) const REQUIRES(the_lock);

    /// Handles the first bytes, if they were read, and reads what else has arrived, for at most until that time; returns
    /// false if the connection has ended.
    bool receive(double until, const Incoming& incoming = {}) noexcept REQUIRES(the_lock);

    /// Returns the number of calls that were refused for lack of room since the last call of this, if their callers can
    /// wait.
    std::size_t refused() REQUIRES(the_lock) { return std::exchange(peer_.refused, 0); }

    /// Returns the seconds of unproductive reading since the last call of this, if they are many.
    double take_excess() REQUIRES(the_lock) { return peer_.overhead.take_excess(); }

    /// Writes what can be written, unless a thread does so already; returns false if the connection has ended.
    bool send() noexcept REQUIRES(the_lock);

    /// Makes what can be sent, for it to be written while the lock is free. Returns whether it did: what is encrypted or
    /// long is sent by `send`. Until `wrote` is called, nothing else is sent.
    bool make_ready(Outgoing& outgoing) noexcept REQUIRES(the_lock);

    /// Notes what was written; returns false if the connection has ended.
    bool wrote(Outgoing& outgoing) noexcept REQUIRES(the_lock);

    /// Returns whether a thread writes what `make_ready` has made.
    bool is_being_written() const REQUIRES(the_lock) { return is_being_written_; }

    /// Checks its timeouts if one is due; returns false if the connection has ended.
    bool tick(double now) noexcept REQUIRES(the_lock);

    /// Returns the earliest time at which one of its timeouts is due.
    double due() const REQUIRES(the_lock) { return peer_.due.time(); }

    /// Accepts no new call, and ends after the open calls have ended.
    void go_away() REQUIRES(the_lock) {
        if (session_) session_->go_away();
    }

    /// Ends all calls so that another connection can take its place; their callers are told to try again.
    void give_place_up() REQUIRES(the_lock);

    Peer& peer() REQUIRES(the_lock) { return peer_; }
    const Peer& peer() const REQUIRES(the_lock) { return peer_; }
    std::uint64_t id() const REQUIRES(the_lock) { return peer_.id; }
    Network& network() const REQUIRES(the_lock) { return peer_.network; }
    int socket() const REQUIRES(the_lock) { return channel_.socket(); }
    bool wants_to_write() const REQUIRES(the_lock) { return has_more_ || channel_.wants_to_write(); }
    bool is_ready() const REQUIRES(the_lock) { return session_ && channel_.is_ready(); }

    /// Returns whether its socket may be read: its peer may send more, and there is room.
    bool wants_to_read() const REQUIRES(the_lock) { return !is_half_closed_ && (!session_ || session_->wants_more()); }

    /// Notes that its peer has closed their side, although something is still to be read.
    void hang_up() REQUIRES(the_lock);
    bool has_hung_up() const REQUIRES(the_lock) { return has_hung_up_; }
    bool is_busy() const REQUIRES(the_lock) { return peer_.messages.used() > 0; }

    /// Returns whether all answers were passed to the socket.
    bool is_flushed() const REQUIRES(the_lock) { return (out_.empty() && !is_being_written_) || !peer_.owes; }

private:
    enum class Sent { all, more, later, over };

    /// Says why it is over, and so returns false.
    bool over(EventKind why) REQUIRES(the_lock) {
        peer_.ends_for(why);
        return false;
    }
    bool read_some(double until, const Incoming& incoming) REQUIRES(the_lock);
    enum class Read { more, enough, ended };
    Read take_in(Channel::Result result, std::span<const std::uint8_t> bytes, bool is_full, double until)
        REQUIRES(the_lock);
    bool send_ready() REQUIRES(the_lock);
    bool fill_out() REQUIRES(the_lock);
    bool is_sent(Sent sent) REQUIRES(the_lock);
    bool check_timeouts(double time) REQUIRES(the_lock);
    void close_write() REQUIRES(the_lock);
    bool half_close() REQUIRES(the_lock);
    bool take_in(std::string_view bytes) REQUIRES(the_lock);
    Sent send_some() REQUIRES(the_lock);
    void note_sent(std::size_t bytes) REQUIRES(the_lock);

    // What ends by itself.
    bool tick_keepalive(double time) REQUIRES(the_lock);
    void tick_leaving(double time) REQUIRES(the_lock);

    Shared& shared_;
    Peer peer_;
    Channel channel_;
    std::unique_ptr<Session> session_;  // null until its peer's first bytes say what they speak
    std::string first_;  // those bytes, as long as they may be either
    Bytes out_;  // taken out of the session, and not taken by the socket
    bool has_lost_some_ = false;  // of what it takes out of the session, for lack of memory
    bool is_being_written_ = false;  // by a thread that has what was in it, and doesn't hold the lock
    bool has_more_ = false;  // of what may be sent, once others have had their turn
    std::size_t wrote_ = 0;  // bytes since it was last noted that its peer gets on

    const double began_;
    double max_age_s_;
    double read_at_, wrote_at_;
    double pinged_at_ = 0;  // by us, while it is unanswered
    double leaving_at_ = 0;
    double ends_at_ = never;  // when it is over, whatever its calls do
    bool is_leaving_ = false;  // its peer was told that it ends soon
    bool has_left_ = false;  // and that no new call is taken
    bool is_closed_ = false;  // nothing more will be written
    bool is_half_closed_ = false;  // nothing more will come
    bool has_hung_up_ = false;  // nothing more will be sent
};

}  // namespace transport
