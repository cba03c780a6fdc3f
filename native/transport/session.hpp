// What a connection speaks: it makes calls of what came, and bytes of what they are answered.
#pragma once

#include <optional>
#include <string_view>

#include "clock.hpp"
#include "peer.hpp"

namespace transport {

/// Protocol of one connection: makes calls of received bytes, and bytes of their answers.
class Session : public StreamControl {
public:
    virtual ~Session() = default;

    /// Processes received bytes; returns false if they end the connection.
    virtual bool receive(std::string_view bytes) REQUIRES(the_lock) = 0;

    /// Returns what to send next, as a view that is valid until the next call: empty if nothing is ready, none if the
    /// connection has ended.
    virtual std::optional<std::string_view> next() REQUIRES(the_lock) = 0;

    /// Returns whether more bytes may be read now. Otherwise they stay in the socket.
    virtual bool wants_more() const REQUIRES(the_lock) { return true; }

    /// Notes that its peer has closed their side.
    virtual void hung_up() REQUIRES(the_lock) { ping(); }

    /// Returns whether its peer has completed the protocol's opening.
    virtual bool has_begun() const REQUIRES(the_lock) = 0;

    /// Returns whether neither side has anything more to send.
    virtual bool is_over() const REQUIRES(the_lock) = 0;

    /// Returns when the connection ends, regardless of its calls.
    virtual double ends_at() const REQUIRES(the_lock) { return never; }

    /// Tells its peer that the connection will end soon.
    virtual void announce_end() REQUIRES(the_lock) = 0;

    /// Accepts no new call, and ends after the open calls have ended.
    virtual void go_away() REQUIRES(the_lock) = 0;

    /// Asks its peer for a sign of life; returns false if the protocol has no way to ask.
    virtual bool ping() REQUIRES(the_lock) = 0;
};

}  // namespace transport
