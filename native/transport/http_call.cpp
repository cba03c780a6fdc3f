// A request over HTTP, from its head to where it waits, and its response: the application's, the fast path's, or one that was prepared
// for a refusal.
#include "http_call.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "grpc.hpp"
#include "peer.hpp"

namespace transport {
namespace {

constexpr std::size_t max_probe_bytes = 4096;  // of its body, of which nothing is read

/// Writes a JSON string; the text of a status may contain anything.
std::string json_string(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += {'\\', c};
        else if (byte < 0x20) out += {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
        else out += c;
    }
    return out + '"';
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

const PeerAddress& HttpCall::peer_address() const { return peer_.peer_address; }

bool HttpCall::bears_bytes(std::size_t bytes) {
    header_bytes_ += bytes;
    if (header_bytes_ <= shared_.settings.limits.max_header_bytes) return true;
    refuse(Refusal::headers);
    return false;
}

bool HttpCall::find_host() {
    const auto found = absolute_target(head.target);
    if (!found) return true;
    if (found->authority.substr(0, found->authority.find(':')).empty() ||
        found->authority.find('@') != std::string_view::npos)
        return false;
    is_odd_ = true;  // the application looks at the host
    head.set("host", found->authority);
    head.target = (found->rest.starts_with('/') ? "" : "/") + std::string(found->rest);
    return true;
}

void HttpCall::header(std::string_view name, std::string_view value) {
    if (has_ended() || header_bytes_ > shared_.settings.limits.max_header_bytes) return;
    if (name == ":method") {
        head.verb = value;
    } else if (name == ":path") {
        head.target = value;
    } else if (name == ":authority") {
        head.add("host", value);
        look_at("host", value);
    } else if (!name.starts_with(':')) {
        head.add(name, value);
        look_at(name, value);
    }
}

void HttpCall::look_at(std::string_view name, std::string_view value) {
    if (name == "content-type") {
        is_odd_ |= std::exchange(has_type_, true);
        is_json_ = is_json(value);
    } else if (name == "host") {
        const auto& hosts = shared_.settings.hosts;
        is_odd_ |= std::exchange(has_host_, true) || (hosts && !hosts->is_known(value));
    } else if (name == "content-length") {
        std::size_t size = 0;
        std::from_chars(value.data(), value.data() + value.size(), size);
        announced_ = size;
    } else if (name == "content-encoding") {
        is_gzip_ = equals_ignoring_case(value, "gzip");
        is_odd_ |= std::exchange(has_encoding_, true) || (!is_gzip_ && !equals_ignoring_case(value, "identity"));
    } else if (name == "origin" || name == "inference-header-content-length") {  // with it, a body isn't JSON alone
        is_odd_ = true;
    } else if (name == "traceparent") {
        look_at_trace(value);
    } else if (name == "x-stainless-read-timeout") {
        const auto seconds = seconds_of(value);
        is_odd_ |= !seconds;
        if (seconds) deadline_ = arrived_ + *seconds;
    } else if (name == "authorization" && shared_.keys) {
        authorize(value);
    } else if (name == "forwarded" || name == "x-forwarded-for") {
        look_at_forwarded(name, value);
    } else if (name == "expect") {
        expects_continue_ = equals_ignoring_case(value, "100-continue");
    }
}

/// Determines what is requested: a method or a probe by the request's path, or anything else.
void HttpCall::find_method() {
    const auto& methods = shared_.settings.methods;
    const std::string path = path_of(head.target);
    const bool reads = head.verb == "GET" || head.verb == "HEAD";
    for (std::size_t index = 0; index < methods.size(); ++index) {
        const Method& method = methods[index];
        if (!method.is_http || method.path != path) continue;
        if (method.is_metered && peer_.peer_address.is_for_probes) continue;
        if (method.is_metered ? head.verb != "POST" : !reads) continue;
        method_ = index;
        kind_ = method.is_metered ? Kind::method : Kind::probe;
    }
    is_odd_ |= path != head.target;
}

std::size_t HttpCall::words() const { return kind_ == Kind::method ? shared_.settings.methods[method_].words : 0; }

bool HttpCall::is_plain() const {
    if (kind_ != Kind::method || is_odd_ || keeps_trace()) return false;
    return is_json_ || shared_.settings.methods[method_].reads_any_type;
}

std::size_t HttpCall::max_bytes() const {
    const std::size_t most = shared_.settings.limits.max_message_bytes;
    return kind_ == Kind::probe ? std::min(most, max_probe_bytes) : most;
}

Refusal HttpCall::unfit() const {
    return peer_.peer_address.is_extra && kind_ != Kind::probe ? Refusal::connections : Refusal::none;
}

const Line* HttpCall::line_ahead() const {
    return is_plain() && shared_.lines.is_small_method(method_) ? &shared_.lines.small : nullptr;
}

/// Allows every connection one open request of the application, so that one caller's many don't keep others out.
bool HttpCall::take_place() {
    if (kind_ == Kind::method) return true;
    const bool is_full = peer_.requests.is_full() || shared_.requests.is_full();
    if (is_full && kind_ != Kind::probe && peer_.requests.used() > 0) return false;
    has_place_ = true;
    peer_.requests.use(1);
    return true;
}

void HttpCall::give_place_back() {
    if (std::exchange(has_place_, false)) peer_.requests.give_back(1);
}

std::optional<int> HttpCall::counted_method() const {
    return kind_ == Kind::method ? std::optional(int(method_)) : std::nullopt;
}

void HttpCall::headers_came() {
    if (has_ended()) return;
    has_head_ = true;
    find_method();
    held_.use(head.size());
    if (!let_in()) return;
    if (kind_ != Kind::method && !shared_.is_draining && kind_ != Kind::probe) {
        is_owed_ = true;
        shared_.owed.use(1);
    }
    peer_.due.by(arrived_ + shared_.settings.limits.caller_timeout_s);
    if (announced_.value_or(0) <= max_bytes()) return;
    if (kind_ == Kind::method) return refuse(Refusal::large);
    accept(false);
}

void HttpCall::data_came(std::string_view bytes) {
    streams_.consume(*this, bytes.size());
    if (!waits_for_request()) return;
    held_.use(bytes.size());
    body_.append(bytes);
    peer_.overhead.took(bytes.size());
    peer_.touch(*account_, bytes.size());
    if (peer_.held.is_exceeded()) return refuse(Refusal::room);
    if (body_.size() > max_bytes()) return kind_ == Kind::method ? refuse(Refusal::large) : accept(false);
    note_progress(true);
}

void HttpCall::end_came() {
    has_closed_ = true;
    if (waits_for_request()) accept(true);
}

/// Queues the request, complete or as far as it has arrived.
void HttpCall::accept(bool is_whole) {
    is_whole_ = is_whole;
    reading_.leave();
    receiving_.leave();
    peer_.overhead.asked(header_bytes_);
    peer_.used_at = now();
    const std::size_t max_inflated =
        shared_.settings.limits.max_inflated_bytes;  // 0: the application says that none may come so
    const std::size_t inflated = is_gzip_ && max_inflated > 0 ? inflated_size(body_).value_or(0) : 0;
    if (kind_ == Kind::method && inflated > max_inflated) return refuse(Refusal::inflated);
    message_ = std::make_unique<Message>();
    message_->call = this;
    message_->account = account_;
    message_->id = shared_.next_id();
    message_->arrived = arrived_;
    message_->patience_s = patience_s();
    message_->is_compressed = kind_ == Kind::method && inflated > 0;
    message_->size = message_->is_compressed ? inflated : body_.size();
    message_->content = std::exchange(body_, {});
    held_.use(message_overhead);
    peer_.messages.use(1);
    Line& line = choose_line();
    line.put(*message_);
    if (&line != &shared_.lines.application) shared_.end_late(line);
}

/// Returns the line for requests that may be answered without Python, or the application's.
Line& HttpCall::choose_line() {
    Lines& lines = shared_.lines;
    if (kind_ != Kind::method) {
        message_->work = account_->estimate(message_->size);
        return lines.application;
    }
    const bool may_be_small = is_whole_ && is_gzip_ == message_->is_compressed && is_plain();
    // The application refuses what is over its key's share at once: a list would first wait for its turn.
    Line& line = lines.choose(*message_, method_, may_be_small, has_share() ? -1 : deadline_ - now());
    return &line == &lines.metered ? lines.application : line;
}

void HttpCall::handed_over(Message& message) {
    message.state = Message::State::taken;
    is_counted_by_python_ = kind_ == Kind::method;
    held_.give_back(held_.used());
}

bool HttpCall::pass_on(Message& message, std::string&& content) {
    message.state = Message::State::waiting;
    message.size = content.size();
    message.content = std::move(content);
    message.line = nullptr;
    reserve(message, 0);
    is_counted_by_python_ = false;
    held_.use(message.cost());
    shared_.lines.application.put(message);
    return true;
}

void HttpCall::answer(Message& message, std::string content, std::size_t cut) {
    message.state = Message::State::answered;
    is_counted_by_python_ = is_counted_by_python_ || is_shared_out_;
    Response response{200, {{"content-type", "application/json"}}, std::move(content)};
    if (cut > 0) response.headers.emplace_back("x-truncated-inputs", std::to_string(cut));
    respond(std::move(response));
}

void HttpCall::fail(const Message&, const Status& status) {
    count(status.code);
    fail(status);
}

void HttpCall::refuse_taken(const Status& status, Refusal refusal) {
    is_counted_by_python_ = false;
    note(EventKind::call_ended, refusal);
    refusal_ = refusal;
    count(status.code);
    fail(status);
}

/// Answers with a status for which nothing is prepared, in the default error format.
void HttpCall::fail(const Status& status) {
    const int code = shared_.settings.http_status(status.code);
    respond_to_page(
        {code,
         {{"content-type", "application/json"}},
         "{\"error\":{\"message\":" + json_string(status.message) + ",\"code\":" + std::to_string(code) + "}}"});
}

void HttpCall::say_end(Refusal why) {
    count(shared_.settings.status(why).code);
    respond_to_page(shared_.settings.response(why, words()));
}

void HttpCall::say_denial(const Denial& denial) {
    count(shared_.settings.status(refusal_).code);
    respond_to_page(filled_in(shared_.settings.response(refusal_, words()), denial));
}

/// Responds so that a page may read it whose origin may call. The application says so in its own responses.
void HttpCall::respond_to_page(Response response) {
    const auto& origins = shared_.settings.origins;
    for (const auto& [name, value] : head.fields()) {
        if (name != "origin") continue;
        const bool is_anybodys = origins.contains("*");
        if (!is_anybodys && !origins.contains(std::string(value))) continue;
        response.headers.emplace_back("access-control-allow-origin", is_anybodys ? "*" : value);
        if (!is_anybodys) response.headers.emplace_back("vary", "Origin");
    }
    respond(std::move(response));
}

void HttpCall::refuse_bytes(int status, std::string_view words) {
    if (is_over_) return;
    refusal_ = Refusal::malformed;
    note(EventKind::call_refused, refusal_);
    count(shared_.settings.status(refusal_).code);
    respond({status, {{"content-type", "text/plain; charset=utf-8"}}, std::string(words)});
}

void HttpCall::respond(Response response) {
    if (is_over_) return;
    drop_all();
    receiving_.leave();
    give_slot_back();
    is_over_ = true;
    const std::string status = std::to_string(response.status);
    std::string size = std::to_string(response.body.size());
    const bool is_head = head.verb == "HEAD";
    std::vector<HeaderField> fields{{":status", status}};
    for (const auto& [name, value] : response.headers) {
        if (name == "content-length" && is_head) size = value;
        if (name != "content-length" && name != "connection" && name != "date" && name != "x-content-type-options")
            fields.push_back({name, value});
    }
    if (!has_no_body(response.status)) fields.push_back({"content-length", size});
    const std::string date = shared_.date();
    fields.push_back({"date", date});
    fields.push_back({"x-content-type-options", "nosniff"});
    const bool has_body = !is_head && !has_no_body(response.status) && !response.body.empty();
    if (has_body) put(std::move(response.body));
    peer_.owes = peer_.owes || is_owed_;
    streams_.respond(*this, fields, has_body);
    std::exchange(head, {});  // an assigned string would keep its memory, which nobody counts until the answer is read
    peer_.list();
}

void HttpCall::body_sent(std::size_t bytes) {
    out_.drop(bytes);
    sent(bytes);
}

Call::Piece HttpCall::read(std::span<std::uint8_t> room) {
    const std::size_t count = take_out(room);
    return {count, out_.empty() ? Piece::Then::end : Piece::Then::more};
}

void HttpCall::drop_all() {
    held_.give_back(held_.used());
    std::exchange(body_, {});
    if (!message_) return;
    if (message_->waits()) message_->line->remove(*message_);
    abandon(*message_);
    give_work_back(*message_);
    message_.reset();
    peer_.messages.give_back(1);
}

void HttpCall::drain() {
    if (kind_ == Kind::method && waits_for_request()) refuse(Refusal::draining);
}

void HttpCall::end_if_stalled(double time) {
    if (is_unread(time)) {
        reset(EventKind::call_unread);
        peer_.list();
    }
    if (!waits_for_request()) return;
    if (peer_.due.has_come(arrived_ + shared_.settings.limits.caller_timeout_s, time)) end_slow();
}

void HttpCall::end_slow() {
    is_slow_ = true;
    if (has_head_ && kind_ != Kind::method) return accept(false);
    refuse(Refusal::slow);
}

}  // namespace transport
