// A call's messages: framed as they come, put in line, answered in their order.
#include <array>
#include <utility>

#include "connection.hpp"
#include "grpc.hpp"

namespace front {
namespace {

nghttp2_nv field(std::string_view name, std::string_view value) {
    return {(std::uint8_t*)name.data(), (std::uint8_t*)value.data(), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// The last headers of a call. Owns what they show.
struct Trailer {
    std::string code, message, details;

    explicit Trailer(const Status& status)
        : code(std::to_string(status.code)), message(percent_encoded(status.message)), details(base64(status.details)) {}

    /// Writes the fields to `to`, and returns how many.
    std::size_t fields(nghttp2_nv* to) const {
        std::size_t count = 0;
        to[count++] = field("grpc-status", code);
        if (!message.empty()) to[count++] = field("grpc-message", message);
        if (!details.empty()) to[count++] = field("grpc-status-details-bin", details);
        return count;
    }
};

std::string health_response(int serving) { return {'\x08', char(serving)}; }

constexpr int health_serving = 1, health_not_serving = 2, health_unknown = 3;

}  // namespace

bool Connection::has_room(const Call& call) const {
    if (call.kind != Kind::stream) return call.messages.empty() && call.put == 0;
    const Limits& limits = state_.limits;
    return call.messages.size() + call.leaving.size() < limits.window_messages && call.sentences < limits.window_sentences &&
           call.bytes < limits.window_bytes;
}

/// Takes in what has come, while there is room for it. What waits for room isn't asked for: it stays with the caller.
void Connection::advance(Call& call) {
    while (!call.is_over && !call.end && has_room(call) && take_message(call)) {}
    if (call.is_over || call.end) return;
    if (call.kind != Kind::stream || has_room(call)) {
        nghttp2_session_consume_stream(session_, call.stream, call.unconsumed);
        call.unconsumed = 0;
    }
    if (!call.has_closed) return;
    const bool is_served = call.kind == Kind::stream || call.kind == Kind::health_watch || !call.messages.empty();
    if (!call.unread.empty() && (has_room(call) || call.kind != Kind::stream)) return refuse(call, "malformed");
    if (call.unread.empty() && !is_served) return refuse(call, "empty");
    flush(call);
}

/// Takes one message off what is unread; false where none is whole, or the call has ended by it.
bool Connection::take_message(Call& call) {
    const auto prefix = read_prefix(call.unread);
    if (!prefix) return false;
    if (prefix->size > state_.limits.max_message_bytes) return refuse(call, "large"), false;
    if (prefix->is_compressed && !call.is_gzip) return refuse(call, call.has_unknown_encoding ? "compressed" : "malformed"), false;
    const std::size_t size = prefix_size + prefix->size;
    if (call.unread.size() < size) return false;
    std::string content;
    if (prefix->is_compressed) {
        auto inflated = gunzip(std::string_view(call.unread).substr(prefix_size, prefix->size), state_.limits.max_message_bytes);
        if (!inflated) return refuse(call, "malformed"), false;
        if (inflated->size() > state_.limits.max_message_bytes) return refuse(call, "large"), false;
        content = std::move(*inflated);
    } else {
        content.assign(call.unread, prefix_size, prefix->size);
    }
    call.unread.erase(0, size);
    held_bytes_ -= size;
    state_.held_bytes -= size;
    accept(call, std::move(content));
    return true;
}

void Connection::accept(Call& call, std::string content) {
    if (call.kind == Kind::health_check || call.kind == Kind::health_watch) return check_health(call, content);
    if (call.reading) {
        state_.reading.erase(*call.reading);
        call.reading.reset();
    }
    auto message = std::make_unique<Message>();
    message->id = ++state_.last_id;
    message->call = &call;
    message->arrived = call.kind == Kind::stream ? now() : call.arrived;
    message->sentences = call.kind == Kind::stream ? count_field_1(content) : 0;
    message->size = content.size();
    message->content = std::move(content);
    held_bytes_ += message->size;
    state_.held_bytes += message->size;
    call.sentences += message->sentences;
    call.bytes += message->size;
    if (state_.methods[call.method].takes_place) state_.line.put(*message);
    else state_.line.put_first(*message);
    call.messages.push_back(std::move(message));
}

void Connection::taken(const Message& message) {
    held_bytes_ -= message.size;
    state_.held_bytes -= message.size;
}

void Connection::answer(Message& message, std::string_view content) {
    Call& call = *message.call;
    message.state = Message::State::answered;
    message.content.clear();
    append_message(message.content, content);
    if (call.kind == Kind::unary) call.end = Status{};
    flush(call);
    if (!call.is_over) advance(call);
}

void Connection::fail(Message& message, const Status& status) {
    Call& call = *message.call;
    call.end = status;
    drop(call, &message);
    flush(call);
}

void Connection::end(Call& call, const Status& status, std::string_view refusal) {
    if (call.is_over) return;
    call.end = status;
    call.refusal = refusal;
    drop(call, nullptr);
    flush(call);
}

/// Sends the answers whose turn it is, and the call's end where it has come.
void Connection::flush(Call& call) {
    if (call.is_over) return;
    while (!call.messages.empty() && call.messages.front()->state == Message::State::answered) {
        const Message& first = *call.messages.front();
        put(call, first.content, first.sentences, first.size);
        call.messages.pop_front();
    }
    if (call.messages.empty() && !call.end && call.has_closed && call.unread.empty() && call.kind == Kind::stream) call.end = Status{};
    if (call.messages.empty() && call.end) {
        call.is_over = true;
        count(call, call.end->code);
        give_place_back(call);
    }
    submit(call);
}

void Connection::put(Call& call, std::string_view framed, std::size_t sentences, std::size_t bytes) {
    if (call.out.empty()) call.progressed = now();
    call.out.append(framed);
    call.put += framed.size();
    call.leaving.push_back({call.put, sentences, bytes});
    unread_bytes_ += framed.size();
    state_.unread_bytes += framed.size();
}

/// Drops messages from `from` on, or all: they will not be answered.
void Connection::drop(Call& call, const Message* from) {
    while (!call.messages.empty()) {
        Message& last = *call.messages.back();
        const bool is_first = &last == from;
        if (last.state == Message::State::waiting) {
            state_.line.remove(last);
            held_bytes_ -= last.size;
            state_.held_bytes -= last.size;
        } else if (state_.taken.erase(last.id) && !is_first) {
            state_.gone.push_back(last.id);
        }
        call.sentences -= last.sentences;
        call.bytes -= last.size;
        call.messages.pop_back();
        if (is_first) return;
    }
}

/// Lets HTTP/2 send what has become ready: a response's start, more of it, or a status alone.
void Connection::submit(Call& call) {
    if (call.has_begun) {
        if (call.is_deferred) {
            call.is_deferred = false;
            nghttp2_session_resume_data(session_, call.stream);
        }
        return;
    }
    if (call.out.empty() && !call.is_over) return;
    call.has_begun = true;
    std::array<nghttp2_nv, 6> fields{field(":status", "200"), field("content-type", "application/grpc"),
                                     field("grpc-accept-encoding", "identity,gzip")};
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

void Connection::submit_trailer(const Call& call, const Status& status) {
    std::array<nghttp2_nv, 3> fields;
    const Trailer trailer(status);
    nghttp2_submit_trailer(session_, call.stream, fields.data(), trailer.fields(fields.data()));
}

void Connection::give_place_back(Call& call) {
    if (std::exchange(call.holds_place, false)) --state_.places;
    if (call.reading) state_.reading.erase(*std::exchange(call.reading, std::nullopt));
}

/// Counts a call's end, unless Python took it as a whole and counts it itself.
void Connection::count(Call& call, int code) {
    if (call.kind != Kind::health_check && call.kind != Kind::health_watch && !call.is_counted_by_python)
        state_.ended.push_back({call.kind == Kind::unknown ? -1 : int(call.method), code, std::string(call.refusal), now() - call.arrived});
}

void Connection::check_health(Call& call, const std::string& request) {
    const auto service = health_service(request);
    if (!service) return refuse(call, "malformed");
    const bool is_known = state_.health_services.contains(*service);
    if (call.kind == Kind::health_watch) {
        if (is_known) state_.watchers.insert(&call);
        std::string framed;
        const int serving = state_.is_serving ? health_serving : health_not_serving;
        append_message(framed, health_response(is_known ? serving : health_unknown));
        put(call, framed, 0, 0);
    } else if (is_known) {
        std::string framed;
        append_message(framed, health_response(state_.is_serving ? health_serving : health_not_serving));
        put(call, framed, 0, 0);
        call.end = Status{};
    } else {
        call.end = Status{not_found, "unknown service", ""};
    }
    flush(call);
}

void Connection::tell_watcher(Call& call) {
    std::string framed;
    append_message(framed, health_response(state_.is_serving ? health_serving : health_not_serving));
    put(call, framed, 0, 0);
    submit(call);
}

void Connection::drain() {
    for (const auto& [stream, call] : calls_) {
        if (call->kind != Kind::stream || call->end || call->is_over) continue;
        call->end = state_.status("draining");
        call->refusal = "draining";
        flush(*call);
    }
}

}  // namespace front
