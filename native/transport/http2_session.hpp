// HTTP/2, by nghttp2.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "frames.hpp"
#include "session.hpp"

namespace transport {

/// Session that speaks HTTP/2.
class Http2Session final : public Session {
public:
    /// Speaks HTTP/2 for `peer`. Must be destroyed before `peer`.
    explicit Http2Session(Peer& peer) REQUIRES(the_lock);
    ~Http2Session() override;
    Http2Session(const Http2Session&) = delete;
    Http2Session& operator=(const Http2Session&) = delete;

    bool receive(std::string_view bytes) override REQUIRES(the_lock);
    std::optional<std::string_view> next() override REQUIRES(the_lock);
    bool has_begun() const override { return has_begun_; }
    bool is_over() const override REQUIRES(the_lock);
    double ends_at() const override { return ends_at_; }
    void announce_end() override { note(nghttp2_submit_shutdown_notice(session_)); }
    void go_away() override REQUIRES(the_lock) { leave(NGHTTP2_NO_ERROR, {}); }
    bool ping() override;

    void respond(Call& call, HeaderFields headers, bool has_body) override;
    void end(const Call& call, HeaderFields trailers) override;
    void resume(const Call& call) override;
    void consume(const Call& call, std::size_t bytes) override;
    void reset(const Call& call, EventKind why) override;

private:
    static nghttp2_session_callbacks* callbacks();
    template <class Result = int, class Act>
    static Result called(void* self, const Act& act) noexcept;
    template <auto event>
    static int on(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept;
    static nghttp2_session* session_of(Http2Session* self);

    /// Notes an nghttp2 result. If it failed, memory has run out, and the connection ends: a call would stay
    /// unanswered.
    void note(int result) { is_broken_ = is_broken_ || result != 0; }
    void begin_frame(const nghttp2_frame_hd& frame) REQUIRES(the_lock);
    int begin_call(const nghttp2_frame& frame) REQUIRES(the_lock);
    int received_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) REQUIRES(the_lock);
    void received_data(std::int32_t stream, std::string_view bytes) REQUIRES(the_lock);
    void passed_data(std::int32_t stream, std::size_t size) REQUIRES(the_lock);
    void received_frame(const nghttp2_frame& frame) REQUIRES(the_lock);
    void tell_to_go_on(const Call& call);
    void received_ping() REQUIRES(the_lock);
    void sent_frame(const nghttp2_frame& frame) REQUIRES(the_lock);
    void closed_stream(std::int32_t stream) REQUIRES(the_lock);
    void leave(std::uint32_t why, std::string_view words) REQUIRES(the_lock);

    Peer& peer_;
    Shared& shared_;
    nghttp2_session* const session_;
    Frames frames_;
    std::int32_t last_stream_ = 0;
    std::array<std::int32_t, 128> closed_{};  // streams that ended lately: of peers, or negative, of ours
    std::size_t closed_count_ = 0;
    double ping_came_at_ = 0;
    double ends_at_ = never;
    int strikes_ = 0;
    bool has_begun_ = false;    // settings have come
    bool has_left_ = false;     // its peer was told that no new call is taken
    bool is_expelled_ = false;  // its calls are over as soon as it was told
    bool is_broken_ = false;    // nghttp2 could not do what it was asked
};

}  // namespace transport
