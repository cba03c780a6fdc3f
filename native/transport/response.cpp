// What a call is sent: its headers, its answers, its status.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "connection.hpp"
#include "grpc.hpp"

namespace transport {
namespace {

// nghttp2 sends no headers of more than 64 KiB, and a call without its status would never end. A byte of a message
// becomes up to three on the wire.
constexpr std::size_t most_message = 8 << 10, most_details = 32 << 10;

/// Returns as many whole characters of UTF-8 as fit.
std::string_view cut(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (text[most] & 0xc0) == 0x80) --most;
    return text.substr(0, most);
}

nghttp2_nv field(std::string_view name, std::string_view value) {
    return {(std::uint8_t*)name.data(), (std::uint8_t*)value.data(), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// The last headers of a call. Owns what they show.
struct Trailer {
    std::string code, message, details;

    explicit Trailer(const Status& status)
        : code(std::to_string(status.code)), message(percent_encoded(cut(status.message, most_message))) {
        details = base64(status.details);
        if (details.size() > most_details) details.clear();
    }

    /// Writes the fields to `to`, and returns how many.
    std::size_t fields(nghttp2_nv* to) const {
        std::size_t count = 0;
        to[count++] = field("grpc-status", code);
        if (!message.empty()) to[count++] = field("grpc-message", message);
        if (!details.empty()) to[count++] = field("grpc-status-details-bin", details);
        return count;
    }
};

}  // namespace

void Connection::put(Call& call, std::string_view framed, std::size_t sentences, std::size_t bytes) {
    if (call.out.empty()) {
        call.progressed = now();
        look_at(call.progressed + stall_s());
    }
    call.out.append(framed);
    call.put += framed.size();
    call.leaving.push_back({call.put, sentences, bytes});
    note_unread(framed.size(), 0);
}

/// Lets HTTP/2 send what has become ready: a response's start, more of it, or a status alone.
void Connection::submit(Call& call) {
    owes_ = owes_ || call.is_owed;
    if (call.has_begun) {
        if (std::exchange(call.is_deferred, false)) nghttp2_session_resume_data(session_, call.stream);
        return;
    }
    if (call.out.empty() && !call.is_over) return;
    call.has_begun = true;
    std::array<nghttp2_nv, 6> fields{field(":status", "200"), field("content-type", "application/grpc"),
                                     field("grpc-accept-encoding", state_.limits.max_inflated_bytes ? "identity,gzip" : "identity")};
    if (call.out.empty()) {
        const Trailer trailer(*call.end);
        const std::size_t count = trailer.fields(fields.data() + 3);
        nghttp2_submit_response2(session_, call.stream, fields.data(), 3 + count, nullptr);
        return;
    }
    nghttp2_data_provider2 provider{};
    provider.source.ptr = &call;
    provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* room, std::size_t size, std::uint32_t* flags,
                                nghttp2_data_source* source, void* self) {
        return static_cast<Connection*>(self)->read_response(*static_cast<Call*>(source->ptr), room, size, flags);
    };
    nghttp2_submit_response2(session_, call.stream, fields.data(), 3, &provider);
}

/// Answers what isn't gRPC: a status of HTTP, and nothing more.
void Connection::submit_http_status(Call& call, std::string_view status) {
    const nghttp2_nv fields = field(":status", status);
    call.is_over = call.has_begun = true;
    release(call, call.held);
    nghttp2_submit_response2(session_, call.stream, &fields, 1, nullptr);
}

nghttp2_ssize Connection::read_response(Call& call, std::uint8_t* room, std::size_t size, std::uint32_t* flags) {
    const std::size_t count = std::min(size, call.out.size());
    std::memcpy(room, call.out.view().data(), count);
    call.out.drop(count);
    call.sent += count;
    note_unread(0, count);
    if (count) used_at_ = now();
    if (count && (call.out.empty() || call.sent - call.noted >= least_progress)) {
        call.noted = call.sent;
        call.progressed = used_at_;
    }
    owes_ = owes_ || call.is_owed;
    while (!call.leaving.empty() && call.leaving.front().end <= call.sent) {
        call.sentences -= call.leaving.front().sentences;
        call.bytes -= call.leaving.front().bytes;
        call.leaving.pop_front();
    }
    if (call.kind == Kind::stream && !call.is_over) {  // there may be room again
        advance(call);
        note_progress(call);
    }
    if (!call.out.empty()) return nghttp2_ssize(count);
    if (call.is_over) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::array<nghttp2_nv, 3> fields;
        const Trailer trailer(*call.end);
        nghttp2_submit_trailer(session_, call.stream, fields.data(), trailer.fields(fields.data()));
    } else if (count == 0) {
        call.is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return nghttp2_ssize(count);
}

void Connection::sent_frame(const nghttp2_frame& frame) {
    if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
    strikes_ = 0;
    ping_came_at_ = 0;
    const bool is_last = frame.hd.type == NGHTTP2_HEADERS && frame.hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (is_last && nghttp2_session_get_stream_remote_close(session_, frame.hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_NO_ERROR);  // send no more
}

}  // namespace transport
