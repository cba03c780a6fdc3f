// One caller's connection: HTTP/2 between its bytes and its calls, and how long it may stay.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "channel.hpp"
#include "peer.hpp"

namespace transport {

constexpr double linger_s = 1;  // that a peer has to close its side, once it was told

class Connection final : Streams {
public:
    Connection(Shared& shared, int socket, std::uint64_t id, Network& network, const std::shared_ptr<Tls>& tls)
        REQUIRES(the_lock);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    bool waits_to_write = false;
    double rests_until = 0;  // and is not read meanwhile; 0 where it doesn't rest
    Had reading;

    void list() override REQUIRES(the_lock);

    /// Reads what has come, until that time at the latest; false once the connection is over.
    bool receive(double until) REQUIRES(the_lock);

    /// Returns how many calls were refused for want of room since the last time, of callers who can wait.
    std::size_t refused() REQUIRES(the_lock) { return std::exchange(peer_.refused, 0); }

    /// Returns the seconds of reading that nothing came of since the last time, where they are many.
    double take_excess() REQUIRES(the_lock) { return peer_.overhead.take_excess(); }

    /// Writes what can be written; false once the connection is over.
    bool send() REQUIRES(the_lock);

    /// Looks at its times where one of them has come; false once the connection is over.
    bool tick(double now) REQUIRES(the_lock);

    /// Returns the time before which none of its times comes.
    double due() const REQUIRES(the_lock) { return peer_.due.time(); }

    /// Takes no new call, and is over once those that are open have ended.
    void go_away(std::uint32_t why = NGHTTP2_NO_ERROR, std::string_view words = {}) REQUIRES(the_lock);

    /// Ends all calls so that another may have its place: their callers are told to come again.
    void give_place_up() REQUIRES(the_lock);

    Peer& peer() REQUIRES(the_lock) { return peer_; }
    const Peer& peer() const REQUIRES(the_lock) { return peer_; }
    std::uint64_t id() const REQUIRES(the_lock) { return peer_.id; }
    Network& network() const REQUIRES(the_lock) { return peer_.network; }
    int socket() const REQUIRES(the_lock) { return channel_.socket(); }
    bool wants_to_write() const REQUIRES(the_lock) { return channel_.wants_to_write(); }
    bool is_ready() const REQUIRES(the_lock) { return channel_.is_ready(); }
    bool is_half_closed() const REQUIRES(the_lock) { return is_half_closed_; }
    bool is_busy() const REQUIRES(the_lock) { return peer_.messages.used() > 0; }

    /// Returns whether all answers that are owed are with its socket.
    bool is_flushed() const REQUIRES(the_lock) { return out_.empty() || !peer_.owes; }

private:
    void close_write() REQUIRES(the_lock);
    bool half_close() REQUIRES(the_lock);

    // session.cpp: HTTP/2's events, and what calls ask of it
    static nghttp2_session_callbacks* callbacks();
    static nghttp2_session* session_of(Connection* self, const Limits& limits);
    void begin_frame(const nghttp2_frame_hd& frame) REQUIRES(the_lock);
    int begin_call(const nghttp2_frame& frame) REQUIRES(the_lock);
    int received_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) REQUIRES(the_lock);
    void received_data(std::int32_t stream, std::string_view bytes) REQUIRES(the_lock);
    void received_frame(const nghttp2_frame& frame) REQUIRES(the_lock);
    void sent_frame(const nghttp2_frame& frame) REQUIRES(the_lock);
    void closed_stream(std::int32_t stream) REQUIRES(the_lock);
    void respond(Call& call, HeaderFields headers, bool has_body) override;
    void end(const Call& call, HeaderFields trailers) override;
    void resume(const Call& call) override;
    void consume(const Call& call, std::size_t bytes) override;
    void reset(const Call& call) override;

    // times.cpp
    bool tick_keepalive(double time) REQUIRES(the_lock);
    void received_ping() REQUIRES(the_lock);
    void tick_leaving(double time) REQUIRES(the_lock);

    Shared& shared_;
    Peer peer_;
    Channel channel_;
    nghttp2_session* session_ = nullptr;
    Bytes out_;              // taken out of HTTP/2, and not taken by the socket
    std::size_t wrote_ = 0;  // bytes since it was last noted that its peer gets on
    std::int32_t last_stream_ = 0;
    std::array<std::int32_t, 128> closed_{};  // streams that ended lately: of peers, or negative, of ours
    std::size_t closed_count_ = 0;

    const double began_;
    bool is_listed_ = false;
    double max_age_s_;
    double read_at_, wrote_at_;
    double pinged_at_ = 0;  // by us, while it is unanswered
    double ping_came_at_ = 0, leaving_at_ = 0;
    double ends_at_ = never;  // when it is over, whatever its calls do
    int strikes_ = 0;
    bool has_begun_ = false;                      // HTTP/2's settings have come
    bool is_leaving_ = false, has_left_ = false;  // its peer was told: soon, now
    bool is_expelled_ = false;                    // its calls are over as soon as it was told
    bool is_closed_ = false;                      // nothing more will be written
    bool is_half_closed_ = false;                 // nothing more will come
};

}  // namespace transport
