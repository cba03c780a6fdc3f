// One caller's connection: HTTP/2 between its bytes and its calls, and how long it may stay.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "channel.hpp"
#include "overhead.hpp"
#include "state.hpp"

namespace transport {

constexpr std::size_t most_unmetered_bytes = 4096;  // of a message for which nobody needs a key or a slot: health's, too
constexpr std::size_t least_progress = 1 << 14;  // bytes that a caller has to read, or all, to get on
constexpr double linger_s = 1;  // that a peer has to close its side, once it was told

class Connection {
public:
    Connection(State& state, int socket, std::uint64_t id, Network& network, const std::shared_ptr<Tls>& tls);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    const std::uint64_t id;
    Network& network;  // that its peer is in
    bool waits_to_write = false;
    double rests_until = 0;  // and is not read meanwhile; 0 where it doesn't rest
    Had reading;

    /// Notes that something of it is to be sent.
    void list();

    /// Reads what has come, until that time at the latest; false once the connection is over.
    bool receive(double until);

    /// Returns how many calls were refused for want of room since the last time, of callers who can wait.
    std::size_t refused() { return std::exchange(refused_, 0); }

    /// Returns the seconds of reading that nothing came of since the last time, where they are many.
    double take_excess() { return overhead_.take_excess(); }

    /// Writes what can be written; false once the connection is over.
    bool send();

    /// Looks at its times where one of them has come; false once the connection is over.
    bool tick(double now);

    /// Returns the time before which none of its times comes.
    double due() const { return due_; }

    /// Notes that a message was taken: it waits here no more.
    void taken(Message& message);

    /// Notes how many sentences `content` holds, which is the message's.
    void count_sentences(Message& message, std::string_view content);

    /// Refuses the call of a message that was taken and turns out to be none.
    void refuse_taken(Message& message);

    /// Refuses the latest call that holds a place and was not taken; false where there is none.
    bool give_way();

    /// Refuses the call of which the most is held.
    void shed();

    /// Answers a message that was taken.
    void answer(Message& message, std::string_view content);

    /// Ends a message's call with `status`, after all messages before it.
    void fail(Message& message, const Status& status);

    /// Ends a call with `status` now; nothing is done for it any more.
    void end(Call& call, const Status& status, std::string_view refusal);

    /// Ends calls whose requests haven't come whole, and each stream that goes on once what was read of it is answered.
    void drain();

    /// Takes no new call, and is over once those that are open have ended.
    void go_away(std::uint32_t why = NGHTTP2_NO_ERROR, std::string_view words = {});

    /// Ends all calls so that another may have its place: their callers are told to come again.
    void give_place_up();

    /// Sends a change of health to a watcher.
    void tell_watcher(Call& call);

    int socket() const { return channel_.socket(); }
    bool wants_to_write() const { return channel_.wants_to_write(); }
    bool is_ready() const { return channel_.is_ready(); }
    bool is_half_closed() const { return is_half_closed_; }

    /// Returns whether all answers that are owed are with its socket.
    bool is_flushed() const { return out_.empty() || !owes_; }
    std::size_t unread_bytes() const { return unread_bytes_; }
    std::size_t held_bytes() const { return held_bytes_; }
    bool is_busy() const { return messages_ > 0; }
    double used_at() const { return used_at_; }
    std::size_t slots() const { return slots_; }

private:
    static nghttp2_session_callbacks* callbacks();

    // times.cpp
    void look_at(double time);
    double stall_s() const;
    bool has_come(double when, double time);
    void tick_calls(double time);
    bool tick_keepalive(double time);
    void tick_leaving(double time);

    // session.cpp: HTTP/2's events
    void begin_frame(const nghttp2_frame_hd& frame);
    Call& begin(std::int32_t stream);
    bool bears(Call& call, std::size_t bytes);
    void authorize(Call& call, std::string_view value);
    void header(Call& call, std::string_view name, std::string_view value);
    void received_headers(Call& call);
    void received_data(Call& call, std::string_view bytes);
    void received_end(Call& call);
    void received_ping();
    void forget(Call& call);
    void refuse(Call& call, std::string_view kind);
    void close_write();
    bool half_close();
    void note_unread(std::size_t more, std::size_t less);

    // exchange.cpp: messages of a call, in and out
    bool waits_for_request(const Call& call) const;
    void advance(Call& call);
    bool take_message(Call& call);
    void accept(Call& call, std::unique_ptr<Message> message);
    void consume(Call& call);
    bool has_room(const Call& call) const;
    void flush(Call& call);
    void drop(Call& call, const Message* from);
    void hold(Call& call, std::size_t bytes);
    void release(Call& call, std::size_t bytes);
    void note_progress(Call& call);
    void forget_progress(Call& call);
    void give_place_back(Call& call);
    void disown(Call& call);
    void count(Call& call, int code);

    // health.cpp
    void check_health(Call& call, const Message& request);

    // response.cpp
    void put(Call& call, std::string_view framed, std::size_t sentences, std::size_t bytes);
    void submit(Call& call);
    void submit_http_status(Call& call, std::string_view status);
    nghttp2_ssize read_response(Call& call, std::uint8_t* room, std::size_t size, std::uint32_t* flags);
    void sent_frame(const nghttp2_frame& frame);

    State& state_;
    Channel channel_;
    nghttp2_session* session_ = nullptr;
    std::unordered_map<std::int32_t, std::unique_ptr<Call>> calls_;
    Bytes out_;  // taken out of HTTP/2, and not taken by the socket
    std::size_t held_bytes_ = 0, unread_bytes_ = 0;  // the latter with what the socket hasn't taken
    std::size_t wrote_ = 0;                          // bytes since it was last noted that its peer gets on
    std::int32_t last_stream_ = 0;
    std::array<std::int32_t, 128> closed_{};  // streams that ended lately: of peers, or negative, of ours
    std::size_t closed_count_ = 0;
    std::size_t refused_ = 0;
    Overhead overhead_;
    std::string key_, key_digest_;  // the last one that came, and its SHA-256
    std::size_t slots_ = 0, messages_ = 0;  // slots that its calls hold, and messages of theirs that are not answered

    const double began_;
    bool is_listed_ = false;
    double max_age_s_ = 0;
    double read_at_, wrote_at_, idle_since_;
    double used_at_;                         // time at which a call last began, or a message came or an answer went
    double pinged_at_ = 0;                   // by us, while it is unanswered
    double ping_came_at_ = 0, leaving_at_ = 0;
    double ends_at_;                         // when it is over, whatever its calls do
    double due_;                             // no later than the first of its times that comes
    int strikes_ = 0;
    bool has_begun_ = false;                 // HTTP/2's settings have come
    bool is_leaving_ = false, has_left_ = false;  // its peer was told: soon, now
    bool is_expelled_ = false;               // its calls are over as soon as it was told
    bool is_closed_ = false;                 // nothing more will be written
    bool is_half_closed_ = false;            // nothing more will come
    bool owes_ = false;                      // of what the socket hasn't taken, some is of answers that are owed
};

}  // namespace transport
