// One caller's connection: HTTP/2 between its bytes and its calls, and how long it may stay.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "channel.hpp"
#include "state.hpp"

namespace front {

class Connection {
public:
    Connection(State& state, int socket, std::uint64_t id, const std::shared_ptr<Tls>& tls);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    const std::uint64_t id;
    bool is_listed = false;     // something of it is to be sent
    bool waits_to_write = false;

    /// Reads what has come; false once the connection is over.
    bool receive();

    /// Writes what can be written; false once the connection is over.
    bool send();

    /// Looks at its times; false once the connection is over.
    bool tick(double now);

    /// Notes that a message was taken: it waits here no more.
    void taken(const Message& message);

    /// Answers a message that was taken.
    void answer(Message& message, std::string_view content);

    /// Ends a message's call with `status`, after all messages before it.
    void fail(Message& message, const Status& status);

    /// Ends a call with `status` now; nothing is done for it any more.
    void end(Call& call, const Status& status, std::string_view refusal);

    /// Ends each stream once what was read of it is answered.
    void drain();

    /// Takes no new call, and is over once those that are open have ended.
    void go_away(std::uint32_t why = NGHTTP2_NO_ERROR, std::string_view words = {});

    /// Sends a change of health to a watcher.
    void tell_watcher(Call& call);

    int socket() const { return channel_.socket(); }
    bool wants_to_write() const { return channel_.wants_to_write(); }
    bool is_flushed() const { return out_.empty(); }
    std::size_t unread_bytes() const { return unread_bytes_ + out_.size(); }
    std::size_t calls() const { return calls_.size(); }

private:
    static nghttp2_session_callbacks* callbacks();

    // session.cpp: HTTP/2's events
    Call& begin(std::int32_t stream);
    void header(Call& call, std::string_view name, std::string_view value);
    void received_headers(Call& call);
    void received_data(Call& call, std::string_view bytes);
    void received_end(Call& call);
    void received_ping();
    void sent_frame(const nghttp2_frame& frame);
    nghttp2_ssize read_response(Call& call, std::uint8_t* room, std::size_t size, std::uint32_t* flags);
    void forget(Call& call);
    void refuse(Call& call, std::string_view kind);

    // exchange.cpp: messages of a call, in and out
    void advance(Call& call);
    bool take_message(Call& call);
    void accept(Call& call, std::string content);
    bool has_room(const Call& call) const;
    void check_health(Call& call, const std::string& request);
    void flush(Call& call);
    void put(Call& call, std::string_view framed, std::size_t sentences, std::size_t bytes);
    void drop(Call& call, const Message* from);
    void submit(Call& call);
    void submit_trailer(const Call& call, const Status& status);
    void give_place_back(Call& call);
    void count(Call& call, int code);

    State& state_;
    Channel channel_;
    nghttp2_session* session_ = nullptr;
    std::unordered_map<std::int32_t, std::unique_ptr<Call>> calls_;
    std::string out_;  // bytes taken out of HTTP/2 that the socket hasn't taken
    std::size_t written_ = 0;
    std::size_t held_bytes_ = 0, unread_bytes_ = 0;

    const double began_;
    double max_age_s_ = 0;
    double read_at_, wrote_at_, idle_since_;
    double pinged_at_ = 0;                   // by us, while it is unanswered
    double ping_came_at_ = 0, leaving_at_ = 0;
    double ends_at_;                         // when it is over, whatever its calls do
    int strikes_ = 0;
    bool has_begun_ = false;                 // HTTP/2's settings have come
    bool is_leaving_ = false, has_left_ = false;  // its peer was told: soon, now
    bool is_closed_ = false;                 // nothing more will be written
};

}  // namespace front
