// HTTP/1.1, by llhttp: one request at a time. What comes after it waits until it is answered.
#pragma once

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http1_line.hpp"
#include "http_call.hpp"
#include "session.hpp"

namespace transport {

constexpr double closed_patience_s = 1;  // with whoever has closed their side, as who is gone has, too

/// Session that speaks HTTP/1.1.
class Http1Session final : public Session {
public:
    /// Speaks HTTP/1.1 for `peer`. Must be destroyed before `peer`.
    explicit Http1Session(Peer& peer) REQUIRES(the_lock);
    ~Http1Session() override;
    Http1Session(const Http1Session&) = delete;
    Http1Session& operator=(const Http1Session&) = delete;

    bool receive(std::string_view bytes) override REQUIRES(the_lock);
    std::optional<std::string_view> next() override REQUIRES(the_lock);
    bool has_begun() const override { return has_begun_; }
    bool is_over() const override REQUIRES(the_lock);
    bool wants_more() const override REQUIRES(the_lock);
    double ends_at() const override REQUIRES(the_lock);
    void hung_up() override REQUIRES(the_lock);
    void announce_end() override { is_leaving_ = true; }
    void go_away() override { is_leaving_ = has_left_ = true; }
    bool ping() override { return false; }

    void respond(Call& call, HeaderFields headers, bool has_body) override REQUIRES(the_lock);
    void end(const Call&, HeaderFields) override {}
    void resume(const Call&) override {}
    void consume(const Call&, std::size_t) override {}
    void reset(const Call&, EventKind why) override REQUIRES(the_lock) {
        is_broken_ = true;
        peer_.ends_for(why);
    }

private:
    static const llhttp_settings_t& callbacks();
    template <class Act>
    static int called(llhttp_t* parser, const Act& act) noexcept;
    template <int (Http1Session::*event)()>
    static int on(llhttp_t* parser) noexcept;
    template <int (Http1Session::*event)(std::string_view)>
    static int on(llhttp_t* parser, const char* at, std::size_t size) noexcept;

    HttpCall& call() REQUIRES(the_lock);
    std::size_t parse(std::string_view bytes) REQUIRES(the_lock);
    void parse_rest() REQUIRES(the_lock);
    bool reads() const { return !is_waiting_ && !is_closing_ && !is_broken_; }
    void refuse(llhttp_errno_t why) REQUIRES(the_lock);
    void end_answer() REQUIRES(the_lock);
    void finish() REQUIRES(the_lock);

    // llhttp's events; each returns one of llhttp_errno.
    int bears(std::size_t bytes) REQUIRES(the_lock);
    int request_came() REQUIRES(the_lock);
    int target_came(std::string_view piece) REQUIRES(the_lock);
    int version_came(std::string_view piece) REQUIRES(the_lock);
    int name_came(std::string_view piece) REQUIRES(the_lock);
    int name_ended() REQUIRES(the_lock);
    int value_came(std::string_view piece) REQUIRES(the_lock);
    int header_came() REQUIRES(the_lock);
    int head_came() REQUIRES(the_lock);
    int body_came(std::string_view bytes) REQUIRES(the_lock);
    int chunk_came() REQUIRES(the_lock);
    int extension_came(std::string_view piece) REQUIRES(the_lock);
    int end_came() REQUIRES(the_lock);
    int refuse(int status, std::string_view words) REQUIRES(the_lock);

    /// State of the request that is arriving.
    struct Request {
        std::size_t head_bytes = 0, hosts = 0, encodings = 0, chunks = 0;
        bool is_chunked = false, has_length = false, is_in_body = false;
        bool is_refused = false;   // by its head, and its small body is read all the same
        bool is_answered = false;  // and its answer is on its way
    };

    Peer& peer_;
    llhttp_t parser_;
    RequestLine line_;
    Request request_;
    Bytes rest_;                // came, and waits for the answer to what came before
    HttpCall* call_ = nullptr;  // the request that comes or is answered
    std::int32_t calls_ = 0;
    std::string out_, sent_;     // of responses, what is to be sent next, and what was last
    std::size_t lent_ = 0;       // bytes of the response's body that are sent now, from where they are
    bool has_begun_ = false;     // something of a request has come
    bool is_whole_ = false;      // the request has come
    bool keeps_alive_ = false;   // after it, as its caller says
    bool is_waiting_ = false;    // for the answer
    bool is_answering_ = false;  // it has begun
    bool has_body_ = false;
    bool is_head_ = false;     // the head is looked at
    bool is_closing_ = false;  // after the answer that is on its way
    bool is_leaving_ = false, has_left_ = false;
    bool is_broken_ = false;
    double hung_up_at_ = never;  // when its peer closed their side
};

}  // namespace transport
