// A call's messages: framed as they come, put in line, answered in their order.
#include <algorithm>
#include <utility>

#include "connection.hpp"
#include "grpc.hpp"

namespace transport {
namespace {
constexpr std::size_t most_ended = 1 << 16;  // calls that Python hasn't asked about yet
constexpr std::size_t most_ahead = 256;      // messages of a connection: beyond them each of its streams has one at a time
}

bool Connection::has_room(const Call& call) const {
    if (call.kind != Kind::stream) return call.messages.empty() && call.put == 0;
    if (messages_ >= most_ahead && !call.messages.empty()) return false;
    const Limits& limits = state_.limits;
    return call.messages.size() + call.leaving.size() < limits.window_messages && call.sentences < limits.window_sentences &&
           call.bytes < limits.window_bytes;
}

/// True where nothing of a call that has one request was taken in yet.
bool Connection::waits_for_request(const Call& call) const {
    return call.kind != Kind::stream && !call.is_over && !call.end && call.messages.empty() && call.put == 0;
}

/// Takes in what has come, while there is room for it. What waits for room isn't asked for: it stays with the caller.
void Connection::advance(Call& call) {
    while (!call.is_over && !call.end && has_room(call) && take_message(call)) {}
    if (call.is_over || call.end) return;
    const bool is_full = !has_room(call);
    if (call.kind != Kind::stream && is_full && !call.unread.empty()) return refuse(call, "malformed");  // a second message
    if (call.kind != Kind::stream || !is_full) consume(call);
    if (!call.has_closed) return;
    const bool is_served = call.kind == Kind::stream || call.kind == Kind::health_watch || !call.messages.empty();
    if (!call.unread.empty() && !is_full) return refuse(call, "malformed");
    if (call.unread.empty() && !is_served) return refuse(call, "empty");
    flush(call);
}

/// Lets the caller send as much more as was taken in.
void Connection::consume(Call& call) { nghttp2_session_consume_stream(session_, call.stream, std::exchange(call.unconsumed, 0)); }

/// Takes one message off what is unread; false where none is whole, or the call has ended by it.
bool Connection::take_message(Call& call) {
    const auto prefix = read_prefix(call.unread.view());
    if (!prefix) return false;
    const std::size_t most_of_any = state_.limits.max_message_bytes;
    const std::size_t most = state_.is_metered(call) ? most_of_any : std::min(most_unmetered_bytes, most_of_any);
    if (prefix->size > most) return refuse(call, "large"), false;
    const std::size_t most_inflated = std::min(most, state_.limits.max_inflated_bytes);
    if (prefix->is_compressed && (!call.is_gzip || most_inflated == 0))
        return refuse(call, call.is_gzip || call.has_unknown_encoding ? "compressed" : "malformed"), false;
    const std::size_t size = prefix_size + prefix->size;
    if (call.unread.size() < size) return false;
    auto message = std::make_unique<Message>();
    message->content = call.unread.view().substr(prefix_size, prefix->size);
    message->size = prefix->size;
    call.unread.drop(size);
    release(call, size);
    if (prefix->is_compressed) {
        const auto inflated = inflated_size(message->content);
        if (!inflated) return refuse(call, "malformed"), false;
        if (*inflated > most_inflated) return refuse(call, "inflated"), false;
        message->size = *inflated;
        message->is_compressed = true;
    }
    accept(call, std::move(message));
    return true;
}

void Connection::accept(Call& call, std::unique_ptr<Message> message) {
    overhead_.asked(call.messages.empty() && call.put == 0 ? call.header_bytes : 0);
    if (is_of_health(call)) return check_health(call, *message);
    message->call = &call;
    message->line = &state_.line_of(*message);
    // While only its headers were there, it might have been small.
    const bool is_large = state_.may_be_small(call) && message->line != &state_.small;
    if (is_large && state_.is_late(call, state_.line)) return refuse(call, "late");
    if (call.reading) state_.reading.erase(*std::exchange(call.reading, std::nullopt));
    message->id = ++state_.last_id;
    message->arrived = call.kind == Kind::stream ? now() : call.arrived;
    if (!message->is_compressed) count_sentences(*message, message->content);
    used_at_ = now();
    ++messages_;
    hold(call, message->cost());
    call.bytes += message->size;
    Line& line = *message->line;
    line.put(*message);
    call.messages.push_back(std::move(message));
    if (&line != &state_.unmetered) state_.end_late(line);
}

/// Counts a message's sentences in its stream's window.
void Connection::count_sentences(Message& message, std::string_view content) {
    if (message.call->kind != Kind::stream) return;
    message.sentences = count_field_1(content, state_.limits.window_sentences);
    message.call->sentences += message.sentences;
}

void Connection::taken(Message& message) {
    message.state = Message::State::taken;
    if (message.call->kind == Kind::unary) message.call->is_counted_by_python = true;
    release(*message.call, message.cost());
}

void Connection::refuse_taken(Message& message) {
    message.call->is_counted_by_python = false;  // it never saw it
    refuse(*message.call, "malformed");
}

void Connection::answer(Message& message, std::string_view content) {
    Call& call = *message.call;
    message.state = Message::State::answered;
    message.content.clear();
    append_message(message.content, content);
    if (call.kind == Kind::unary) call.end = Status{};
    flush(call);
    if (!call.is_over) advance(call);
    note_progress(call);
    list();
}

void Connection::fail(Message& message, const Status& status) {
    Call& call = *message.call;
    call.end = status;
    call.refusal = {};
    drop(call, &message);
    flush(call);
    list();
}

void Connection::end(Call& call, const Status& status, std::string_view refusal) {
    if (call.is_over) return;
    disown(call);
    call.end = status;
    call.refusal = refusal;
    drop(call, nullptr);
    flush(call);
    list();  // it may be another connection's caller that ended it
}

/// Sends the answers whose turn it is, and the call's end where it has come.
void Connection::flush(Call& call) {
    if (call.is_over) return;
    while (!call.messages.empty() && call.messages.front()->state == Message::State::answered) {
        const Message& first = *call.messages.front();
        put(call, first.content, first.sentences, first.size);
        call.messages.pop_front();
        --messages_;
    }
    if (call.messages.empty() && !call.end && call.has_closed && call.unread.empty() && call.kind == Kind::stream) call.end = Status{};
    if (call.end) {  // what else has come is of no use
        release(call, call.unread.size());
        call.unread.clear();
        forget_progress(call);
        consume(call);
    }
    if (call.messages.empty() && call.end) {
        call.is_over = true;
        count(call, call.end->code);
        give_place_back(call);
        release(call, call.held);
        call.metadata = {};
    }
    submit(call);
}

/// Drops messages from `from` on, or all: they will not be answered.
void Connection::drop(Call& call, const Message* from) {
    while (!call.messages.empty()) {
        Message& last = *call.messages.back();
        const bool is_first = &last == from;
        if (last.state == Message::State::waiting) {
            last.line->remove(last);
            release(call, last.cost());
        } else if (state_.taken.erase(last.id) && !is_first) {
            state_.gone.push_back(last.id);
        }
        call.sentences -= last.sentences;
        call.bytes -= last.size;
        call.messages.pop_back();
        --messages_;
        if (is_first) return;
    }
}

void Connection::hold(Call& call, std::size_t bytes) {
    call.held += bytes;
    held_bytes_ += bytes;
    network.held_bytes += bytes;
    state_.held_bytes += bytes;
}

void Connection::release(Call& call, std::size_t bytes) {
    call.held -= bytes;
    held_bytes_ -= bytes;
    network.held_bytes -= bytes;
    state_.held_bytes -= bytes;
}

/// A server that stops need not wait for a call any more.
void Connection::disown(Call& call) {
    if (std::exchange(call.is_owed, false)) --state_.owed;
}

void Connection::give_place_back(Call& call) {
    if (call.reading) state_.reading.erase(*std::exchange(call.reading, std::nullopt));
    state_.end_watch(call);
    if (!std::exchange(call.holds_slot, false)) return;
    --slots_;
    --state_.slots;
}

/// Counts a call's end, unless Python took it as a whole and counts it itself.
void Connection::count(Call& call, int code) {
    if (is_of_health(call) || call.is_counted_by_python) return;
    const int method = call.kind == Kind::unknown ? -1 : int(call.method);
    if (state_.ended.size() < most_ended) state_.ended.push_back({method, code, call.refusal, now() - call.arrived});
    else ++state_.uncounted;
}

void Connection::drain() {
    look_at(0);  // answers that nobody reads have less time from now on
    for (const auto& [stream, call] : calls_) {
        if (call->end || call->is_over) continue;
        if (state_.is_metered(*call) && waits_for_request(*call)) refuse(*call, "draining");
        const bool is_whole = call->has_closed && call->unread.empty();  // it ends by itself
        if (call->kind != Kind::stream || is_whole) continue;
        call->end = state_.status("draining");
        call->refusal = "draining";
        flush(*call);
    }
    list();
}

}  // namespace transport
