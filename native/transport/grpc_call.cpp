// A gRPC call from its headers to its end: its messages are read from its stream's bytes, put in line, and answered in their order.
// What is asked of grpc.health.v1 is answered without Python (github.com/grpc/grpc/blob/master/doc/health-checking.md).
#include "grpc_call.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "grpc.hpp"
#include "job.hpp"
#include "peer.hpp"

namespace transport {
namespace {

constexpr std::string_view health_methods = "/grpc.health.v1.Health/";
constexpr std::size_t header_overhead = 64;  // bytes that a header costs besides its own, about
constexpr std::size_t max_unmetered_bytes = 4096;  // of a message for which nobody needs a key or a slot: health's, too
constexpr std::size_t max_ahead = 256;  // messages of a connection: beyond them each of its streams has one at a time
constexpr std::size_t max_networks = 4;  // that may watch health as much as one may

enum Health { serving = 1, not_serving = 2, service_unknown = 3 };

std::string response_of(Health health) { return {'\x08', char(health)}; }

}  // namespace

void GrpcCall::header(std::string_view name, std::string_view value) {
    if (header_bytes_ > shared_.settings.limits.max_header_bytes) return;
    if (name == ":path") {
        set_path(value);
    } else if (name == ":method") {
        is_post_ = value == "POST";
    } else if (name == "content-type") {
        is_grpc_ =
            value.starts_with("application/grpc") && (value.size() == 16 || value[16] == '+' || value[16] == ';');
    } else if (name == "grpc-timeout") {
        const auto timeout_s = timeout_of(value);
        if (timeout_s) deadline_ = arrived_ + *timeout_s;
        else has_bad_timeout_ = true;
    } else if (name == "authorization" && shared_.keys) {
        authorize(value);
    } else if (name == "forwarded" || name == "x-forwarded-for") {
        look_at_forwarded(name, value);
    } else if (name == "grpc-encoding") {
        is_gzip_ = value == "gzip";
        has_unknown_encoding_ = !is_gzip_ && value != "identity";
    }
    const auto& wanted = shared_.settings.headers;
    if (const auto found = std::find(wanted.begin(), wanted.end(), name); found != wanted.end()) {
        metadata_.emplace_back(found - wanted.begin(), value), held_.use(value.size() + header_overhead);
        if (name == "traceparent") look_at_trace(value);
        else if (name != "tracestate") has_other_headers_ = true;
    }
}

void GrpcCall::set_path(std::string_view path) {
    const auto& methods = shared_.settings.methods;
    const auto found = std::find_if(methods.begin(), methods.end(),
                                    [&](const Method& method) { return !method.is_http && method.path == path; });
    method_ = std::size_t(found - methods.begin());
    if (found != methods.end()) kind_ = found->is_stream ? Kind::stream : Kind::unary;
    else if (path.starts_with(health_methods) && path.substr(health_methods.size()) == "Check")
        kind_ = Kind::health_check;
    else if (path.starts_with(health_methods) && path.substr(health_methods.size()) == "Watch")
        kind_ = Kind::health_watch;
}

void GrpcCall::headers_came() {
    const bool is_whole = header_bytes_ <= shared_.settings.limits.max_header_bytes;  // else not all were looked at
    if (is_whole && (!is_post_ || !is_grpc_)) return submit_http_status(is_post_ ? "415" : "405");
    if (let_in() && !is_metered()) peer_.due.by(arrived_ + shared_.settings.limits.caller_timeout_s);
}

bool GrpcCall::is_metered() const {
    return (kind_ == Kind::unary || kind_ == Kind::stream) && shared_.settings.methods[method_].is_metered;
}

bool GrpcCall::may_be_small() const { return is_metered() && shared_.lines.is_small_method(method_) && is_plain(); }

const Line* GrpcCall::line_ahead() const { return may_be_small() ? &shared_.lines.small : &shared_.lines.metered; }

Refusal GrpcCall::unfit() const {
    if (has_bad_timeout_) return Refusal::timeout;
    return kind_ == Kind::unknown ? Refusal::unknown : Refusal::none;
}

std::optional<int> GrpcCall::counted_method() const {
    if (is_of_health()) return std::nullopt;
    return kind_ == Kind::unknown ? -1 : int(method_);
}

/// Counts the call as a health watcher; returns false if its network has the maximum. Above the total limit, a watcher
/// of the network that has the most is ended.
bool GrpcCall::take_place() {
    if (kind_ != Kind::health_watch) return true;
    const std::size_t most = shared_.settings.limits.max_connections;  // one for each connection that there may be
    std::atomic<std::size_t>& own = peer_.network.all->watches;
    if (own >= most) return false;
    if (shared_.all->watchers >= max_networks * most) {
        const auto most_of_one = [](Shared& in) REQUIRES(the_lock) {
            return in.watchers.empty() ? 0 : greediest_of(in.watchers).watches();
        };
        const Shared::Act give_way = [&](Shared& in) REQUIRES(the_lock) {
            if (in.watchers.empty() || greediest_of(in.watchers).watches() <= own + 1) return false;
            greediest_of(in.watchers).refuse(Refusal::crowded);
            return true;
        };
        if (!shared_.where_most(most_of_one, give_way)) return false;
    }
    watching_.stand_for(shared_.watchers, shared_.watchers.insert(shared_.watchers.end(), this));
    ++own;
    ++shared_.all->watchers;
    return true;
}

GrpcCall& GrpcCall::greediest_of(const std::list<GrpcCall*>& watchers) {
    const auto has_less = [](const GrpcCall* one, const GrpcCall* other)
                              REQUIRES(the_lock) { return one->watches() < other->watches(); };
    return **std::max_element(watchers.begin(), watchers.end(), has_less);
}

std::size_t GrpcCall::watches() const { return peer_.network.all->watches; }

void GrpcCall::give_place_back() {
    if (!watching_) return;
    watching_.leave();
    --peer_.network.all->watches;
    --shared_.all->watchers;
}

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

bool GrpcCall::has_room() const {
    if (kind_ != Kind::stream) return messages_.empty() && put_ == 0;
    if (peer_.messages.used() >= max_ahead && !messages_.empty()) return false;
    const Limits& limits = shared_.settings.limits;
    return messages_.size() + leaving_.size() < limits.window_messages && sentences_ < limits.window_sentences &&
           bytes_ < limits.window_bytes;
}

/// Returns whether nothing of a unary call's request was processed yet.
bool GrpcCall::waits_for_request() const {
    return kind_ != Kind::stream && !has_ended() && messages_.empty() && put_ == 0;
}

/// Processes received bytes while there is room. Bytes without room aren't requested, and stay with the caller.
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

/// Lets the caller send as many bytes as were processed.
void GrpcCall::consume() { streams_.consume(*this, std::exchange(unconsumed_, 0)); }

/// Makes a message of received bytes; returns false if none is complete, or the call has ended.
bool GrpcCall::frame_message() {
    const auto prefix = read_prefix(unframed_.view());
    if (!prefix) return false;
    const Limits& limits = shared_.settings.limits;
    const std::size_t most =
        is_metered() ? limits.max_message_bytes : std::min(max_unmetered_bytes, limits.max_message_bytes);
    if (prefix->size > most) return refuse(Refusal::large), false;
    const std::size_t max_inflated = std::min(most, limits.max_inflated_bytes);
    if (prefix->is_compressed && (!is_gzip_ || max_inflated == 0))
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
        if (*inflated > max_inflated) return refuse(Refusal::inflated), false;
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
    message->id = shared_.next_id();
    message->arrived = kind_ == Kind::stream ? now() : arrived_;
    message->patience_s = kind_ == Kind::stream ? never : patience_s();
    messages_.push_back(std::move(message));  // before it waits: who takes it finds it here
    Message& last = *messages_.back();
    if (!last.is_compressed) count_sentences(last, last.content);
    peer_.used_at = now();
    peer_.messages.use(1);
    held_.use(last.cost());
    bytes_ += last.size;
    line.put(last);
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

/// Returns whether no message of a stream can have to wait for its key's quota, or fail because its key was withdrawn.
/// Those are left to Python, which keeps them in order and has the error texts. A key may be withdrawn, or get limits,
/// while the stream is open.
bool GrpcCall::look_at_key() {
    if (!shared_.keys) return true;
    const auto found = shared_.keys->find(key_digest_);
    if (found == shared_.keys->end()) return false;
    usage_ = found->second;
    return !has_share();
}

void GrpcCall::count_sentences(Message& message, std::string_view content) {
    if (kind_ != Kind::stream) return;
    message.sentences = count_field_1(content, shared_.settings.limits.window_sentences);
    sentences_ += message.sentences;
}

void GrpcCall::check_health(const Message& request) {
    const auto content = request.is_compressed ? gunzip(request.content, request.size) : std::optional(request.content);
    const auto service = content ? health_service(*content) : std::nullopt;
    if (!service) return refuse(Refusal::malformed);
    const auto found = shared_.is_serving.find(*service);
    const bool is_known = found != shared_.is_serving.end();
    const Health health = !is_known ? service_unknown : found->second ? serving : not_serving;
    if (kind_ == Kind::health_watch) {
        watched_ = *service;
        put_message(response_of(health), 0, 0);
    } else if (is_known) {
        put_message(response_of(health), 0, 0);
        end_ = shared_.trailer(Refusal::none);
    } else {
        end_ = std::make_shared<const Trailer>(Status{not_found, "unknown service", ""});
    }
    flush();
}

void GrpcCall::tell_health(std::string_view service, bool is_serving) {
    if (is_over_ || watched_ != service) return;
    or_reset([&]() REQUIRES(the_lock) {
        put_message(response_of(is_serving ? serving : not_serving), 0, 0);
        submit();
    });
    peer_.list();
}

void GrpcCall::handed_over(Message& message) {
    message.state = Message::State::taken;
    if (kind_ == Kind::unary) is_counted_by_python_ = true;
    held_.give_back(message.cost());
}

void GrpcCall::refuse_taken(const Status& status, Refusal refusal) {
    is_counted_by_python_ = false;
    if (is_over_) return;
    note(EventKind::call_ended, refusal);
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

/// Sends the answers that are next in order, and the call's end if it is due.
void GrpcCall::flush() {
    if (is_over_) return;
    while (!messages_.empty() && messages_.front()->state == Message::State::answered) {
        Message& first = *messages_.front();
        give_unread_back(std::exchange(first.reserved, 0));
        put_message(std::move(first.content), first.sentences, first.size);
        messages_.pop_front();
        peer_.messages.give_back(1);
    }
    if (messages_.empty() && !end_ && has_closed_ && unframed_.empty() && kind_ == Kind::stream)
        end_ = shared_.trailer(Refusal::none);
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

/// Drops messages from `from` on, or all; they will not be answered.
void GrpcCall::drop(const Message* from) {
    while (!messages_.empty()) {
        Message& last = *messages_.back();
        const bool is_first = &last == from;
        if (last.waits()) last.line->remove(last);
        if (last.state == Message::State::waiting) {
            held_.give_back(last.cost());
        } else if (is_first) {
            shared_.outstanding.remove(last.id);
        } else {
            abandon(last);
        }
        give_work_back(last);
        sentences_ -= last.sentences;
        bytes_ -= last.size;
        messages_.pop_back();
        peer_.messages.give_back(1);
        if (is_first) return;
    }
}

void GrpcCall::say_end(Refusal why) {
    end_ = shared_.trailer(why);
    flush();
}

void GrpcCall::say_denial(const Denial& denial) {
    end_ = std::make_shared<const Trailer>(filled_in(shared_.settings.status(refusal_), denial));
    flush();
}

void GrpcCall::drain() {
    if (has_ended()) return;
    if (is_metered() && waits_for_request()) refuse(Refusal::draining);
    const bool is_whole = has_closed_ && unframed_.empty();  // it ends by itself
    if (kind_ != Kind::stream || is_whole) return;
    end_ = shared_.trailer(Refusal::draining);
    refusal_ = Refusal::draining;
    flush();
}

void GrpcCall::end_if_stalled(double time) {
    if (is_unread(time)) {
        reset(EventKind::call_unread);
        peer_.list();
    }
    const bool may_be_slow = !is_metered() && waits_for_request();
    if (may_be_slow && peer_.due.has_come(arrived_ + shared_.settings.limits.caller_timeout_s, time))
        refuse(Refusal::slow);
}

void GrpcCall::put_message(std::string content, std::size_t sentences, std::size_t bytes) {
    put(prefix_of(content.size()));
    put(std::move(content));
    leaving_.push_back({put_, sentences, bytes});
}

/// Passes what is ready to HTTP/2: a response's start, more of it, or a status alone.
void GrpcCall::submit() {
    peer_.owes = peer_.owes || is_owed_;
    if (has_begun_) {
        if (std::exchange(is_deferred_, false)) streams_.resume(*this);
        return;
    }
    if (out_.empty() && !is_over_) return;
    has_begun_ = true;
    std::array<HeaderField, 3 + Trailer::max_fields> fields{
        {{":status", "200"},
         {"content-type", "application/grpc"},
         {"grpc-accept-encoding", shared_.settings.limits.max_inflated_bytes ? "identity,gzip" : "identity"}}};
    if (!out_.empty()) return streams_.respond(*this, std::span(fields).first(3), true);
    const std::size_t count = end_->fields(fields.data() + 3);
    streams_.respond(*this, std::span(fields).first(3 + count), false);
}

/// Answers a request that isn't gRPC with an HTTP status alone.
void GrpcCall::submit_http_status(std::string_view status) {
    const HeaderField field{":status", status};
    note(EventKind::call_refused, Refusal::malformed);
    is_over_ = has_begun_ = true;
    held_.give_back(held_.used());
    streams_.respond(*this, {&field, 1}, false);
}

Call::Piece GrpcCall::read(std::span<std::uint8_t> room) {
    const std::size_t count = take_out(room);
    while (!leaving_.empty() && leaving_.front().end <= sent_) {
        sentences_ -= leaving_.front().sentences;
        bytes_ -= leaving_.front().bytes;
        leaving_.pop_front();
    }
    if (kind_ == Kind::stream && !is_over_) {  // there may be room again
        advance();
        note_progress(!unframed_.empty() && has_room());
    }
    if (!out_.empty()) return {count, Piece::Then::more};
    if (is_over_) {
        std::array<HeaderField, Trailer::max_fields> fields;
        streams_.end(*this, std::span(fields).first(end_->fields(fields.data())));
        return {count, Piece::Then::trailers};
    }
    is_deferred_ = count == 0;
    return {count, is_deferred_ ? Piece::Then::later : Piece::Then::more};
}

}  // namespace transport
