// HTTP/2: what nghttp2 calls while it reads and writes, and what calls ask of it.
#include "http2_session.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

#include "http2_headers.hpp"
#include "http2_options.hpp"

namespace transport {
namespace {

constexpr std::uint32_t connection_window = 4 << 20;
constexpr std::size_t max_queued = 2048;  // frames that wait to be sent, besides four a call

Call* call_of(nghttp2_session* session, std::int32_t stream) {
    return static_cast<Call*>(nghttp2_session_get_stream_user_data(session, stream));
}

std::string_view view(const std::uint8_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

Http2Session::Http2Session(Peer& peer) : peer_(peer), shared_(peer.shared), session_(session_of(this)) {
    const Limits& limits = shared_.settings.limits;
    const std::array<nghttp2_settings_entry, 3> entries{{
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, std::uint32_t(limits.window_bytes)},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, std::uint32_t(limits.max_connection_requests)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, std::uint32_t(limits.max_header_bytes)},
    }};
    note(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size()));
    note(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window));
}

Http2Session::~Http2Session() {
    peer_.forget_all();  // nghttp2 closes no streams at a session's end
    nghttp2_session_del(session_);
}

/// Handles a callback of nghttp2. No exception may pass through C: if `act` throws, the connection ends.
template <class Result, class Act>
Result Http2Session::called(void* self, const Act& act) noexcept {
    the_lock.is_sure();  // the thread that reads or writes holds it
    Http2Session& session = *static_cast<Http2Session*>(self);
    try {
        if constexpr (std::is_void_v<decltype(act(session))>) return act(session), 0;
        else return act(session);
    } catch (...) {
        session.is_broken_ = true;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
}

template <auto event>
int Http2Session::on(nghttp2_session*, const nghttp2_frame* frame, void* self) noexcept {
    return called(self, [&](Http2Session& session) REQUIRES(the_lock) { return (session.*event)(*frame); });
}

nghttp2_session_callbacks* Http2Session::callbacks() {
    using Of = nghttp2_session;
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, [](Of*, const nghttp2_frame_hd* frame, void* self) {
        return called(self, [&](Http2Session& session) REQUIRES(the_lock) { return session.begin_frame(*frame); });
    });
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, on<&Http2Session::begin_call>);
    nghttp2_session_callbacks_set_on_header_callback(
        made, [](Of*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                 const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
            return called(self, [&](Http2Session& session) REQUIRES(the_lock) {
                return session.received_header(*frame, view(name, name_size), view(value, value_size));
            });
        });
    // A malformed header, such as a value with a line's end, resets its stream (RFC 9113, 8.1.1): newer releases of
    // nghttp2 would else leave it out, and let the call pass.
    nghttp2_session_callbacks_set_on_invalid_header_callback2(
        made, [](auto...) { return int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE); });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        made, [](Of*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t size, void* self) {
            return called(self, [&](Http2Session& session)
                                    REQUIRES(the_lock) { return session.received_data(stream, view(bytes, size)); });
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on<&Http2Session::received_frame>);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, on<&Http2Session::sent_frame>);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, [](Of*, std::int32_t stream, std::uint32_t,
                                                                    void* self) {
        return called(self, [&](Http2Session& session) REQUIRES(the_lock) { return session.closed_stream(stream); });
    });
    return made;
}

nghttp2_session* Http2Session::session_of(Http2Session* self) {
    static nghttp2_session_callbacks* const called = callbacks();
    nghttp2_session* made = nullptr;
    if (nghttp2_session_server_new2(&made, called, self, http2_options().get()) != 0) throw std::bad_alloc();
    return made;
}

bool Http2Session::receive(std::string_view bytes) {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const bool is_read = nghttp2_session_mem_recv2(session_, data, bytes.size()) >= 0;
    if (is_broken_) peer_.ends_for(EventKind::no_memory);
    if (!is_read) return false;
    frames_.look(bytes, [this](std::int32_t stream, std::size_t size) {
        the_lock.is_sure();
        passed_data(stream, size);
    });
    // Who has much done and reads nothing of it: nghttp2 bounds answers to pings and settings, but not all that it
    // sends.
    return !is_broken_ && nghttp2_session_get_outbound_queue_size(session_) <=
                              max_queued + 4 * shared_.settings.limits.max_connection_requests;
}

std::optional<std::string_view> Http2Session::next() {
    const std::uint8_t* bytes = nullptr;
    const nghttp2_ssize count =
        is_broken_ ? nghttp2_ssize(NGHTTP2_ERR_NOMEM) : nghttp2_session_mem_send2(session_, &bytes);
    if (count >= 0) return view(bytes, std::size_t(count));
    peer_.ends_for(EventKind::no_memory);
    return std::nullopt;
}

bool Http2Session::is_over() const {
    const bool goes_on = nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_);
    return !goes_on || (has_left_ && (peer_.is_idle() || is_expelled_));
}

void Http2Session::leave(std::uint32_t why, std::string_view words) {
    if (std::exchange(has_left_, true)) return;
    note(nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), why,
                               reinterpret_cast<const std::uint8_t*>(words.data()), words.size()));
}

bool Http2Session::ping() {
    note(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr));
    return true;
}

/// Counts pings that come too often (like gRPC's own servers, github.com/grpc/grpc/blob/master/doc/keepalive.md).
void Http2Session::received_ping() {
    const double time = now();
    if (time - ping_came_at_ < shared_.settings.limits.min_ping_s &&
        ++strikes_ > shared_.settings.limits.ping_strikes) {
        leave(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
        is_expelled_ = true;
        peer_.ends_for(EventKind::pinged);
        ends_at_ = std::min(ends_at_, time + linger_s);
        peer_.due.by(ends_at_);
    }
    ping_came_at_ = time;
}

/// Ends the connection at headers for a stream that its peer has ended (RFC 9113, 5.1) or skipped (5.1.1), which
/// nghttp2 doesn't track. Headers for a stream that was reset here are allowed, since its peer may not know yet.
/// (nghttp2 drops DATA for an ended stream without reporting it.) PRIORITY for stream 0 (6.3), which newer releases of
/// nghttp2 ignore, ends it too. A session may be ended here and in no other callback: if it is ended while a frame's
/// content is passed on, releases before 1.68.1 go on reading, and abort at a frame of a wrong size (CVE-2026-27135).
void Http2Session::begin_frame(const nghttp2_frame_hd& frame) {
    const std::int32_t stream = frame.stream_id;
    if (frame.type == NGHTTP2_PRIORITY && !stream)
        note(nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR));
    if (frame.type != NGHTTP2_HEADERS || stream % 2 == 0 || stream > last_stream_ || peer_.has(stream)) return;
    const auto found =
        std::find_if(closed_.begin(), closed_.end(), [&](std::int32_t each) { return std::abs(each) == stream; });
    if (found != closed_.end() && *found < 0) return;
    note(nghttp2_session_terminate_session(session_,
                                           found == closed_.end() ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_STREAM_CLOSED));
}

int Http2Session::begin_call(const nghttp2_frame& frame) {
    if (frame.hd.type != NGHTTP2_HEADERS || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    last_stream_ = frame.hd.stream_id;
    return nghttp2_session_set_stream_user_data(session_, last_stream_, &peer_.begin(*this, last_stream_));
}

int Http2Session::received_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
    Call* const call = call_of(session_, frame.hd.stream_id);
    if (!call) return 0;
    if (!call->bears(name.size() + value.size())) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const bool is_trailer = frame.headers.cat != NGHTTP2_HCAT_REQUEST;
    if (!is_trailer) call->header(name, value);
    return 0;
}

void Http2Session::received_data(std::int32_t stream, std::string_view bytes) {
    note(nghttp2_session_consume_connection(session_, bytes.size()));
    if (Call* const call = call_of(session_, stream)) call->data_came(bytes);
}

/// Doesn't pause the connection for the rest of a refused call: through a proxy, it carries other callers' calls.
void Http2Session::passed_data(std::int32_t stream, std::size_t size) {
    if (stream <= last_stream_ && !peer_.wants_data(stream)) peer_.overhead.dropped(size);
}

void Http2Session::received_frame(const nghttp2_frame& frame) {
    const auto [type, flags] = std::pair(frame.hd.type, frame.hd.flags);
    if (type == NGHTTP2_SETTINGS && !std::exchange(has_begun_, true)) peer_.due.by(now());
    if (type == NGHTTP2_PING && !(flags & NGHTTP2_FLAG_ACK)) received_ping();
    const bool is_reset = type == NGHTTP2_RST_STREAM;
    shared_.begun.resets += is_reset;
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA && !is_reset) return;
    Call* const call = call_of(session_, frame.hd.stream_id);
    if (!call) return;
    if (is_reset) return call->reset_came();
    if (type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST) call->headers_came();
    if (flags & NGHTTP2_FLAG_END_STREAM) call->end_came();
    else if (type == NGHTTP2_HEADERS && call->waits_for_continue()) tell_to_go_on(*call);
}

void Http2Session::tell_to_go_on(const Call& call) {
    const std::array told{HeaderField{":status", "100"}};
    const Headers headers(told);
    note(nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, call.stream(), nullptr, headers.data(), headers.size(),
                                nullptr));
}

void Http2Session::sent_frame(const nghttp2_frame& frame) {
    if (frame.hd.type == NGHTTP2_GOAWAY && frame.goaway.error_code != NGHTTP2_NO_ERROR)
        peer_.ends_for(EventKind::malformed);
    const bool is_reset = frame.hd.type == NGHTTP2_RST_STREAM && frame.rst_stream.error_code != NGHTTP2_NO_ERROR;
    if (is_reset && frame.rst_stream.error_code != NGHTTP2_CANCEL) peer_.note(EventKind::call_reset);  // which is ours
    if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
    strikes_ = 0;
    ping_came_at_ = 0;
    const bool is_last = frame.hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (is_last && nghttp2_session_get_stream_remote_close(session_, frame.hd.stream_id) == 0)
        note(nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, frame.hd.stream_id,
                                       NGHTTP2_NO_ERROR));  // send no more
}

void Http2Session::closed_stream(std::int32_t stream) {
    Call* const call = call_of(session_, stream);
    if (!call) return;
    closed_[closed_count_++ % closed_.size()] = call->is_closed_by_caller() ? stream : -stream;
    const bool was_slow = call->was_slow();
    peer_.forget(*call);
    if (was_slow && peer_.is_idle()) go_away();  // as over HTTP/1.1, where no more can be read
}

void Http2Session::respond(Call& call, HeaderFields headers, bool has_body) {
    const Headers sent(headers);
    nghttp2_data_provider2 body{};
    body.source.ptr = &call;
    body.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* room, std::size_t size, std::uint32_t* flags,
                            nghttp2_data_source* source, void* self) {
        return called<nghttp2_ssize>(self, [&](Http2Session&) REQUIRES(the_lock) {
            const Call::Piece piece = static_cast<Call*>(source->ptr)->read({room, size});
            if (piece.then == Call::Piece::Then::trailers)
                *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (piece.then == Call::Piece::Then::end) *flags |= NGHTTP2_DATA_FLAG_EOF;
            return piece.then == Call::Piece::Then::later ? nghttp2_ssize(NGHTTP2_ERR_DEFERRED)
                                                          : nghttp2_ssize(piece.size);
        });
    };
    note(nghttp2_submit_response2(session_, call.stream(), sent.data(), sent.size(), has_body ? &body : nullptr));
}

void Http2Session::end(const Call& call, HeaderFields trailers) {
    const Headers sent(trailers);
    note(nghttp2_submit_trailer(session_, call.stream(), sent.data(), sent.size()));
}

void Http2Session::resume(const Call& call) {
    note(nghttp2_is_fatal(nghttp2_session_resume_data(session_, call.stream())));  // else nothing of it was put off
}

void Http2Session::consume(const Call& call, std::size_t bytes) {
    note(nghttp2_session_consume_stream(session_, call.stream(), bytes));
}

void Http2Session::reset(const Call& call, EventKind) {
    note(nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, call.stream(), NGHTTP2_CANCEL));
}

}  // namespace transport
