// A call's messages: read from its stream's bytes, put in line, and answered in their order.
#include <algorithm>
#include <utility>

#include "grpc.hpp"
#include "grpc_call.hpp"
#include "job.hpp"
#include "peer.hpp"

namespace transport {
namespace {
constexpr std::size_t most_unmetered_bytes =
    4096;                                // of a message for which nobody needs a key or a slot: health's, too
constexpr std::size_t most_ahead = 256;  // messages of a connection: beyond them each of its streams has one at a time
}  // namespace

bool GrpcCall::has_room() const {
    if (kind_ != Kind::stream) return messages_.empty() && put_ == 0;
    if (peer_.messages.used() >= most_ahead && !messages_.empty()) return false;
    const Limits& limits = shared_.settings.limits;
    return messages_.size() + leaving_.size() < limits.window_messages && sentences_ < limits.window_sentences &&
           bytes_ < limits.window_bytes;
}

/// True where nothing of a call that has one request was taken in yet.
bool GrpcCall::waits_for_request() const { return kind_ != Kind::stream && !has_ended() && messages_.empty() && put_ == 0; }

void GrpcCall::data_came(std::string_view bytes) {
    unconsumed_ += bytes.size();
    if (has_ended()) return consume();
    held_.use(bytes.size());
    unframed_.append(bytes);
    peer_.overhead.took(bytes.size());
    peer_.touch(*account_, bytes.size());
    if (peer_.held.is_exceeded()) return refuse(Refusal::room);
    advance();
    note_progress(!unframed_.empty() && has_room());
}

void GrpcCall::end_came() {
    has_closed_ = true;
    advance();
}

/// Takes in what has come, while there is room for it. What waits for room isn't asked for: it stays with the caller.
void GrpcCall::advance() {
    while (!has_ended() && has_room() && frame_message()) {
    }
    if (has_ended()) return;
    const bool is_full = !has_room();
    if (kind_ != Kind::stream && is_full && !unframed_.empty()) return refuse(Refusal::malformed);  // a second message
    if (kind_ != Kind::stream || !is_full) consume();
    if (!has_closed_) return;
    const bool is_served = kind_ == Kind::stream || kind_ == Kind::health_watch || !messages_.empty();
    if (!unframed_.empty() && !is_full) return refuse(Refusal::malformed);
    if (unframed_.empty() && !is_served) return refuse(Refusal::empty);
    flush();
}

/// Lets the caller send as much more as was taken in.
void GrpcCall::consume() { streams_.consume(*this, std::exchange(unconsumed_, 0)); }

/// Makes a message of what has come; false where none is whole, or the call has ended by it.
bool GrpcCall::frame_message() {
    const auto prefix = read_prefix(unframed_.view());
    if (!prefix) return false;
    const Limits& limits = shared_.settings.limits;
    const std::size_t most =
        is_metered() ? limits.max_message_bytes : std::min(most_unmetered_bytes, limits.max_message_bytes);
    if (prefix->size > most) return refuse(Refusal::large), false;
    const std::size_t most_inflated = std::min(most, limits.max_inflated_bytes);
    if (prefix->is_compressed && (!is_gzip_ || most_inflated == 0))
        return refuse(is_gzip_ || has_unknown_encoding_ ? Refusal::compressed : Refusal::malformed), false;
    const std::size_t size = prefix_size + prefix->size;
    if (unframed_.size() < size) return false;
    auto message = std::make_unique<Message>();
    message->content = unframed_.view().substr(prefix_size, prefix->size);
    message->size = prefix->size;
    unframed_.drop(size);
    held_.give_back(size);
    if (prefix->is_compressed) {
        const auto inflated = inflated_size(message->content);
        if (!inflated) return refuse(Refusal::malformed), false;
        if (*inflated > most_inflated) return refuse(Refusal::inflated), false;
        message->size = *inflated;
        message->is_compressed = true;
    }
    accept(std::move(message));
    return true;
}

void GrpcCall::accept(std::unique_ptr<Message> message) {
    peer_.overhead.asked(messages_.empty() && put_ == 0 ? header_bytes_ : 0);
    if (is_of_health()) return check_health(*message);
    Lines& lines = shared_.lines;
    message->account = account_;
    Line& line = choose_line(*message);
    // While only its headers were there, it might have been small.
    const bool was_maybe_small = kind_ == Kind::unary && &line != &lines.small && may_be_small();
    if (was_maybe_small && lines.is_late(line, *account_, patience_s())) return refuse(Refusal::late);
    reading_.leave();
    message->call = this;
    message->line = &line;
    message->id = ++shared_.last_id;
    message->arrived = kind_ == Kind::stream ? now() : arrived_;
    message->patience_s = kind_ == Kind::stream ? never : patience_s();
    if (!message->is_compressed) count_sentences(*message, message->content);
    peer_.used_at = now();
    peer_.messages.use(1);
    held_.use(message->cost());
    bytes_ += message->size;
    line.put(*message);
    messages_.push_back(std::move(message));
    if (&line != &lines.unmetered) shared_.end_late(line);
}

Line& GrpcCall::choose_line(Message& message) {
    Lines& lines = shared_.lines;
    if (!is_metered()) {
        message.work = account_->estimate(message.size);
        return lines.unmetered;
    }
    const bool may_be_plain = may_be_small() && !message.is_compressed;
    if (kind_ == Kind::stream) {
        message.is_for_python = !look_at_key();
        return lines.choose(message, method_, may_be_plain && !message.is_for_python);
    }
    // Python refuses what is over its key's share at once: a list would first wait for its turn.
    const double left_s = has_share() ? -1 : deadline_ - now();
    return lines.choose(message, method_, may_be_plain, left_s);
}

void GrpcCall::count_sentences(Message& message, std::string_view content) {
    if (kind_ != Kind::stream) return;
    message.sentences = count_field_1(content, shared_.settings.limits.window_sentences);
    sentences_ += message.sentences;
}

void GrpcCall::handed_over(Message& message) {
    message.state = Message::State::taken;
    if (kind_ == Kind::unary) is_counted_by_python_ = true;
    held_.give_back(message.cost());
}

void GrpcCall::refuse_taken(const Status& status, Refusal refusal) {
    is_counted_by_python_ = false;
    if (is_over_) return;
    disown();
    refusal_ = refusal;
    drop(nullptr);
    end_ = std::make_shared<const Trailer>(status);
    flush();
    peer_.list();
}

void GrpcCall::answer(Message& message, std::string content, std::size_t) {
    if (message.waits()) message.line->remove(message);  // the rest of one of which a slice took too long
    message.state = Message::State::answered;
    is_counted_by_python_ = is_counted_by_python_ || is_shared_out_;
    give_work_back(message);
    message.content = std::move(content);
    use_unread(message.reserved = message.content.size());  // until its turn comes
    if (kind_ == Kind::unary) end_ = shared_.trailer(Refusal::none);
    flush();
    if (!is_over_) advance();
    note_progress(!unframed_.empty() && has_room());
    peer_.list();
}

void GrpcCall::fail(const Message& message, const Status& status) {
    end_ = std::make_shared<const Trailer>(status);
    refusal_ = Refusal::none;
    drop(&message);
    flush();
    peer_.list();
}

/// Sends the answers whose turn it is, and the call's end where it has come.
void GrpcCall::flush() {
    if (is_over_) return;
    while (!messages_.empty() && messages_.front()->state == Message::State::answered) {
        Message& first = *messages_.front();
        give_unread_back(std::exchange(first.reserved, 0));
        put_message(std::move(first.content), first.sentences, first.size);
        messages_.pop_front();
        peer_.messages.give_back(1);
    }
    if (messages_.empty() && !end_ && has_closed_ && unframed_.empty() && kind_ == Kind::stream) end_ = shared_.trailer(Refusal::none);
    if (end_) {  // what else has come is of no use
        held_.give_back(unframed_.size());
        unframed_.clear();
        receiving_.leave();
        consume();
    }
    if (messages_.empty() && end_) {
        is_over_ = true;
        count(end_->code());
        give_slot_back();
        held_.give_back(held_.used());
        metadata_ = {};
    }
    submit();
}

/// Drops messages from `from` on, or all: they will not be answered.
void GrpcCall::drop(const Message* from) {
    while (!messages_.empty()) {
        Message& last = *messages_.back();
        const bool is_first = &last == from;
        if (last.waits()) last.line->remove(last);
        if (last.state == Message::State::waiting) {
            held_.give_back(last.cost());
        } else if (is_first || last.job) {
            shared_.outstanding.remove(last.id);
        } else {
            shared_.outstanding.abandon(last.id);
        }
        give_work_back(last);
        sentences_ -= last.sentences;
        bytes_ -= last.size;
        messages_.pop_back();
        peer_.messages.give_back(1);
        if (is_first) return;
    }
}

}  // namespace transport
