// HTTP/2's events: what nghttp2 calls while it reads and writes.
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <limits>

#include "connection.hpp"
#include "grpc.hpp"

namespace transport {
namespace {

constexpr std::string_view health = "/grpc.health.v1.Health/";
constexpr std::size_t most_times_headers = 4;  // as large as they may be, before no status is told any more
constexpr double least_patience_s = 2;  // of a call that is refused, and whose caller can wait a while before the next

Connection& self_of(void* self) { return *static_cast<Connection*>(self); }

Call* call_of(nghttp2_session* session, std::int32_t stream) {
    return static_cast<Call*>(nghttp2_session_get_stream_user_data(session, stream));
}

/// Returns what stands after `Bearer`; nothing where the scheme is another.
std::string_view bearer(std::string_view value) {
    static constexpr std::string_view scheme = "bearer ";
    const bool is_bearer = value.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), value.begin(), [](char one, char other) {
        return one == std::tolower(static_cast<unsigned char>(other));
    });
    if (!is_bearer) return {};
    value.remove_prefix(scheme.size());
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value.substr(0, value.find_last_not_of(" \t") + 1);
}

std::string sha256(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return {digest.begin(), digest.end()};
}

/// A number for who holds a key, that is no connection's.
std::uint64_t caller_of(const std::string& digest) {
    std::uint64_t number = 0;
    std::memcpy(&number, digest.data(), sizeof number);
    return number | std::uint64_t(1) << 63;
}

std::string_view view(const std::uint8_t* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

nghttp2_session_callbacks* Connection::callbacks() {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, [](nghttp2_session*, const nghttp2_frame_hd* frame, void* self) {
        self_of(self).begin_frame(*frame);
        return 0;
    });
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, [](nghttp2_session* session, const nghttp2_frame* frame, void* self) {
        if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
        return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, &self_of(self).begin(frame->hd.stream_id));
    });
    nghttp2_session_callbacks_set_on_header_callback(
        made, [](nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                 const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
            Connection& connection = self_of(self);
            Call* call = call_of(session, frame->hd.stream_id);
            if (!call) return 0;
            if (!connection.bears(*call, name_size + value_size)) return int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE);
            const bool is_trailer = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
            if (!is_trailer) connection.header(*call, view(name, name_size), view(value, value_size));
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
        if (frame->hd.type == NGHTTP2_SETTINGS && !std::exchange(connection.has_begun_, true)) connection.look_at(now());
        if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) connection.received_ping();
        const bool is_reset = frame->hd.type == NGHTTP2_RST_STREAM;
        connection.state_.resets += is_reset;
        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA && !is_reset) return 0;
        Call* call = call_of(session, frame->hd.stream_id);
        if (!call) return 0;
        call->is_reset = is_reset;
        if (is_reset) return 0;
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
    last_stream_ = stream;
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

/// Counts a header, or a trailer. False where there are far too many: then the call is over, and nghttp2, which is told
/// so, resets its stream and only unpacks what else there is. One entry of HPACK's table, named again and again, would
/// have it look at 4 KB for each byte.
bool Connection::bears(Call& call, std::size_t bytes) {
    constexpr std::size_t overhead = 32;  // as HTTP/2 counts them
    call.header_bytes += bytes + overhead;
    overhead_.unpacked(bytes + overhead);
    if (call.header_bytes <= most_times_headers * state_.limits.max_header_bytes) return true;
    refuse(call, "headers");
    return false;
}

void Connection::header(Call& call, std::string_view name, std::string_view value) {
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
        const auto timeout_s = timeout_of(value);
        if (timeout_s) call.deadline = call.arrived + *timeout_s;
        else call.has_bad_timeout = true;
    } else if (name == "authorization" && state_.keys) {
        authorize(call, value);
    } else if (name == "grpc-encoding") {
        call.is_gzip = value == "gzip";
        call.has_unknown_encoding = !call.is_gzip && value != "identity";
    }
    const auto& wanted = state_.headers;
    if (const auto found = std::find(wanted.begin(), wanted.end(), name); found != wanted.end())
        call.metadata.emplace_back(found - wanted.begin(), value), hold(call, value.size() + header_overhead);
}

/// Looks a call's key up. Callers send the same one with each call, and it is hashed once; two keys of one call are no key.
void Connection::authorize(Call& call, std::string_view value) {
    const bool is_first = call.key == Call::Key::none;
    if (is_first && (key_digest_.empty() || key_ != value)) {
        key_ = value;
        key_digest_ = sha256(bearer(value));
    }
    const bool is_known = is_first && state_.keys->contains(key_digest_);
    call.key = is_known ? Call::Key::known : Call::Key::unknown;
    call.caller = is_known ? caller_of(key_digest_) : id;  // its turns, by whatever connections
}

void Connection::received_headers(Call& call) {
    const bool is_whole = call.header_bytes <= state_.limits.max_header_bytes;  // else not all of them were looked at
    if (is_whole && (!call.is_post || !call.is_grpc)) return submit_http_status(call, call.is_post ? "415" : "405");
    used_at_ = call.arrived;
    if (call.deadline < std::numeric_limits<double>::infinity()) {
        call.due = state_.deadlines.emplace(call.deadline, &call);
        state_.due = std::min(state_.due, call.deadline);
    }
    if (state_.is_metered(call)) state_.began = call.arrived;
    std::string_view refusal = state_.refusal(call);
    if (refusal == "full" && state_.make_way(call)) refusal = state_.refusal(call);
    if (refusal.empty() && held_bytes_ > state_.limits.held_bytes) refusal = "full";
    if (refusal.empty() && call.kind == Kind::health_watch && !state_.begin_watch(call)) refusal = "full";
    if (!refusal.empty()) {
        const bool has_no_room = refusal == "full" || refusal == "late";
        refused_ += has_no_room && call.deadline - call.arrived > least_patience_s;
        if (has_no_room) overhead_.asked(call.header_bytes);
        return refuse(call, refusal);
    }
    if (!state_.is_metered(call)) return look_at(call.arrived + state_.limits.handshake_s);
    call.is_owed = true;
    ++state_.owed;
    if (call.kind == Kind::unary) {
        call.holds_slot = true;
        ++slots_;
        ++state_.slots;
        call.reading = state_.reading.insert(state_.reading.end(), &call);
    }
}

void Connection::received_data(Call& call, std::string_view bytes) {
    call.unconsumed += bytes.size();
    if (call.is_over || call.end) return consume(call);
    hold(call, bytes.size());
    call.unread.append(bytes);
    overhead_.took(bytes.size());
    if (held_bytes_ > state_.limits.held_bytes) return refuse(call, "full");
    advance(call);
    note_progress(call);
}

void Connection::received_end(Call& call) {
    call.has_closed = true;
    advance(call);
}

/// Forgets a call whose stream is closed. What was taken of it is over for Python, too.
void Connection::forget(Call& call) {
    if (!call.is_over) {
        call.end = Status{code_of_leaving(call.deadline, call.arrived, now()), "", ""};
        count(call, call.end->code);
    }
    closed_[closed_count_++ % closed_.size()] = call.has_closed || call.is_reset ? call.stream : -call.stream;
    drop(call, nullptr);
    forget_progress(call);
    disown(call);
    give_place_back(call);
    release(call, call.held);
    note_unread(0, call.out.size());
    if (call.due) state_.deadlines.erase(*call.due);
    --state_.calls;
    calls_.erase(calls_.find(call.stream));
    if (!calls_.empty()) return;
    idle_since_ = now();
    if (state_.limits.idle_s > 0) look_at(idle_since_ + state_.limits.idle_s);
}

}  // namespace transport
