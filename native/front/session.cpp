// HTTP/2's events: what nghttp2 calls while it reads and writes.
#include <algorithm>
#include <cstring>
#include <limits>

#include "connection.hpp"
#include "grpc.hpp"

namespace front {
namespace {

constexpr std::string_view health = "/grpc.health.v1.Health/";

Connection& self_of(void* self) { return *static_cast<Connection*>(self); }

Call* call_of(nghttp2_session* session, std::int32_t stream) {
    return static_cast<Call*>(nghttp2_session_get_stream_user_data(session, stream));
}

std::string_view view(const std::uint8_t* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

std::string_view State::refusal(const Call& call) const {
    if (call.kind == Kind::unknown) return "unknown";
    if (call.header_bytes > limits.max_header_bytes) return "headers";
    if (call.kind == Kind::health_check || call.kind == Kind::health_watch || !methods[call.method].takes_place) return {};
    if (is_draining) return "draining";
    if (call.deadline <= call.arrived) return "expired";
    if (call.connection->unread_bytes() > limits.unread_bytes || unread_bytes > limits.unread_total_bytes) return "unread";
    if (call.kind == Kind::unary && line.wait_s() + queue_s > 0.25 * (call.deadline - call.arrived)) return "late";
    if (call.kind == Kind::unary && places >= limits.max_calls) return "full";
    return {};
}

nghttp2_session_callbacks* Connection::callbacks() {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, [](nghttp2_session* session, const nghttp2_frame* frame, void* self) {
        if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
        return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, &self_of(self).begin(frame->hd.stream_id));
    });
    nghttp2_session_callbacks_set_on_header_callback(
        made, [](nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                 const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
            Call* call = frame->headers.cat == NGHTTP2_HCAT_REQUEST ? call_of(session, frame->hd.stream_id) : nullptr;
            if (call) self_of(self).header(*call, view(name, name_size), view(value, value_size));
            return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        made, [](nghttp2_session* session, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t size, void* self) {
            nghttp2_session_consume_connection(session, size);
            if (Call* call = call_of(session, stream)) self_of(self).received_data(*call, view(bytes, size));
            return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, [](nghttp2_session* session, const nghttp2_frame* frame, void* self) {
        Connection& connection = self_of(self);
        if (frame->hd.type == NGHTTP2_SETTINGS) connection.has_begun_ = true;
        if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) connection.received_ping();
        if (frame->hd.type == NGHTTP2_RST_STREAM) ++connection.state_.resets;
        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
        Call* call = call_of(session, frame->hd.stream_id);
        if (!call) return 0;
        if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) connection.received_headers(*call);
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) connection.received_end(*call);
        return 0;
    });
    nghttp2_session_callbacks_set_on_frame_send_callback(made, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        self_of(self).sent_frame(*frame);
        return 0;
    });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        made, [](nghttp2_session* session, std::int32_t stream, std::uint32_t, void* self) {
            if (Call* call = call_of(session, stream)) self_of(self).forget(*call);
            return 0;
        });
    return made;
}

Call& Connection::begin(std::int32_t stream) {
    std::unique_ptr<Call>& call = calls_[stream] = std::make_unique<Call>();
    call->connection = this;
    call->stream = stream;
    call->caller = id;
    call->arrived = call->progressed = now();
    call->deadline = std::numeric_limits<double>::infinity();
    ++state_.calls;
    ++state_.calls_begun;
    return *call;
}

void Connection::header(Call& call, std::string_view name, std::string_view value) {
    call.header_bytes += name.size() + value.size() + 32;  // as HTTP/2 counts them
    if (call.header_bytes > state_.limits.max_header_bytes) return;
    if (name == ":path") {
        const auto& methods = state_.methods;
        const auto found = std::find_if(methods.begin(), methods.end(), [&](const Method& method) { return method.path == value; });
        call.method = std::size_t(found - methods.begin());
        if (found != methods.end()) call.kind = found->is_stream ? Kind::stream : Kind::unary;
        else if (value.starts_with(health) && value.substr(health.size()) == "Check") call.kind = Kind::health_check;
        else if (value.starts_with(health) && value.substr(health.size()) == "Watch") call.kind = Kind::health_watch;
    } else if (name == ":method") {
        call.is_post = value == "POST";
    } else if (name == "content-type") {
        call.is_grpc = value.starts_with("application/grpc") &&
                       (value.size() == 16 || value[16] == '+' || value[16] == ';');
    } else if (name == "grpc-timeout") {
        call.deadline = call.arrived + timeout_of(value);
    } else if (name == "grpc-encoding") {
        call.is_gzip = value == "gzip";
        call.has_unknown_encoding = !call.is_gzip && value != "identity";
    }
    const auto& wanted = state_.headers;
    if (const auto found = std::find(wanted.begin(), wanted.end(), name); found != wanted.end())
        call.metadata.emplace_back(found - wanted.begin(), value);
}

void Connection::received_headers(Call& call) {
    if (!call.is_post || !call.is_grpc) {
        const std::string_view status = call.is_post ? "415" : "405";
        const nghttp2_nv field{(std::uint8_t*)":status", (std::uint8_t*)status.data(), 7, status.size(), NGHTTP2_NV_FLAG_NONE};
        call.is_over = true;
        nghttp2_submit_response2(session_, call.stream, &field, 1, nullptr);
        return;
    }
    if (call.deadline < std::numeric_limits<double>::infinity()) state_.deadlines.emplace(call.deadline, &call);
    std::string_view refusal = state_.refusal(call);
    if ((call.kind == Kind::unary || call.kind == Kind::stream) && state_.methods[call.method].takes_place) state_.began = call.arrived;
    if (refusal == "full" && !state_.reading.empty()) {  // who has kept a place for too long gives way
        Call& oldest = *state_.reading.front();
        if (call.arrived - oldest.arrived > state_.limits.handshake_s) {
            oldest.connection->end(oldest, state_.status("slow"), "");
            refusal = state_.refusal(call);
        }
    }
    if (!refusal.empty()) return refuse(call, refusal);
    if (call.kind == Kind::unary && state_.methods[call.method].takes_place) {
        call.holds_place = true;
        ++state_.places;
        call.reading = state_.reading.insert(state_.reading.end(), &call);
    }
}

void Connection::refuse(Call& call, std::string_view kind) { end(call, state_.status(kind), kind); }

void Connection::received_data(Call& call, std::string_view bytes) {
    call.unconsumed += bytes.size();
    if (call.is_over || call.end) {
        nghttp2_session_consume_stream(session_, call.stream, call.unconsumed);
        call.unconsumed = 0;
        return;
    }
    const Limits& limits = state_.limits;
    held_bytes_ += bytes.size();
    state_.held_bytes += bytes.size();
    call.unread.append(bytes);
    if (held_bytes_ > limits.held_bytes || state_.held_bytes > limits.held_total_bytes) return refuse(call, "full");
    advance(call);
}

void Connection::received_end(Call& call) {
    call.has_closed = true;
    advance(call);
}

/// Counts pings that come too often (as gRPC's own servers do, github.com/grpc/grpc/blob/master/doc/keepalive.md).
void Connection::received_ping() {
    const double time = now();
    if (time - ping_came_at_ < state_.limits.min_ping_s && ++strikes_ > state_.limits.ping_strikes) {
        go_away(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
        ends_at_ = time;  // at the next look, once this was sent
    }
    ping_came_at_ = time;
}

void Connection::sent_frame(const nghttp2_frame& frame) {
    if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
    strikes_ = 0;
    ping_came_at_ = 0;
    const bool is_last = frame.hd.type == NGHTTP2_HEADERS && frame.hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (is_last && nghttp2_session_get_stream_remote_close(session_, frame.hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_NO_ERROR);  // send no more
}

nghttp2_ssize Connection::read_response(Call& call, std::uint8_t* room, std::size_t size, std::uint32_t* flags) {
    const std::size_t count = std::min(size, call.out.size() - call.out_at);
    std::memcpy(room, call.out.data() + call.out_at, count);
    call.out_at += count;
    call.sent += count;
    unread_bytes_ -= count;
    state_.unread_bytes -= count;
    if (count) call.progressed = now();
    while (!call.leaving.empty() && call.leaving.front().end <= call.sent) {
        call.sentences -= call.leaving.front().sentences;
        call.bytes -= call.leaving.front().bytes;
        call.leaving.pop_front();
    }
    if (call.kind == Kind::stream && !call.is_over) advance(call);  // there may be room again
    if (call.out_at == call.out.size()) {
        call.out.clear();
        call.out_at = 0;
        if (call.is_over) {
            *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailer(call, *call.end);
        } else if (count == 0) {
            call.is_deferred = true;
            return NGHTTP2_ERR_DEFERRED;
        }
    }
    return nghttp2_ssize(count);
}

/// Forgets a call whose stream is closed. What was taken of it is over for Python, too.
void Connection::forget(Call& call) {
    if (!call.is_over) {
        const bool is_late = call.deadline <= now();
        call.end = Status{is_late ? deadline_exceeded : cancelled, "", ""};
        count(call, call.end->code);
    }
    drop(call, nullptr);
    give_place_back(call);
    held_bytes_ -= call.unread.size();
    state_.held_bytes -= call.unread.size();
    unread_bytes_ -= call.out.size() - call.out_at;
    state_.unread_bytes -= call.out.size() - call.out_at;
    state_.watchers.erase(&call);
    const auto [first, last] = state_.deadlines.equal_range(call.deadline);
    const auto found = std::find_if(first, last, [&](const auto& entry) { return entry.second == &call; });
    if (found != last) state_.deadlines.erase(found);
    --state_.calls;
    calls_.erase(call.stream);
    if (calls_.empty()) idle_since_ = now();
}

}  // namespace front
