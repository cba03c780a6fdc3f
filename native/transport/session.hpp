// What a connection speaks: it makes calls of what came, and bytes of what they are answered.
#pragma once

#include <optional>
#include <string_view>

#include "clock.hpp"
#include "peer.hpp"

namespace transport {

class Session : public Streams {
public:
    virtual ~Session() = default;

    /// Takes in what has come; false where the connection is over by that.
    virtual bool receive(std::string_view bytes) REQUIRES(the_lock) = 0;

    /// Returns what is to be sent next, as a view until anything else is asked for: empty where nothing is ready, none where
    /// the connection is over.
    virtual std::optional<std::string_view> next() REQUIRES(the_lock) = 0;

    /// Returns whether more may come now. Else what comes stays in the socket.
    virtual bool wants_more() const REQUIRES(the_lock) { return true; }

    /// Notes that its peer has closed their side.
    virtual void hung_up() REQUIRES(the_lock) { ping(); }

    /// Returns whether its peer has said what everybody says first.
    virtual bool has_begun() const REQUIRES(the_lock) = 0;

    /// Returns whether neither side has anything more to say.
    virtual bool is_over() const REQUIRES(the_lock) = 0;

    /// Returns when the connection is over, whatever its calls do.
    virtual double ends_at() const REQUIRES(the_lock) { return never; }

    /// Tells its peer that the connection ends soon.
    virtual void announce_end() REQUIRES(the_lock) = 0;

    /// Takes no new call, and is over once those that are open have ended.
    virtual void go_away() REQUIRES(the_lock) = 0;

    /// Asks its peer whether it is there; false where that can't be asked.
    virtual bool ping() REQUIRES(the_lock) = 0;
};

}  // namespace transport
