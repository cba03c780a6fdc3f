// HTTP/1.1's requests, by what llhttp calls while it reads them (RFC 9112), and their answers, in the same order. llhttp's lenient flags
// stay off: what proxies may read in another way is refused, and so is what it lets pass of that.
#include "http1_session.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "http_status.hpp"

namespace transport {
namespace {

constexpr std::size_t max_rest = 1 << 14;  // bytes that are read before the answer to what came before them
constexpr std::size_t max_chunks =
    2048;  // of one body: each takes as long as a small request, however few bytes it has
constexpr std::size_t max_piece = 1 << 14;  // of a response's body, that is copied
constexpr std::size_t max_lent = 1 << 18;  // of a long one's, that is sent at once

}  // namespace

/// Handles an event of llhttp. No exception may pass through C: if `act` throws, the connection ends.
template <class Act>
int Http1Session::called(llhttp_t* parser, const Act& act) noexcept {
    the_lock.is_sure();  // the thread that reads holds it
    Http1Session& session = *static_cast<Http1Session*>(parser->data);
    try {
        return act(session);
    } catch (...) {
        session.is_broken_ = true;
        session.peer_.ends_for(EventKind::no_memory);
        return HPE_USER;
    }
}

template <int (Http1Session::*event)()>
int Http1Session::on(llhttp_t* parser) noexcept {
    return called(parser, [](Http1Session& session) REQUIRES(the_lock) { return (session.*event)(); });
}

template <int (Http1Session::*event)(std::string_view)>
int Http1Session::on(llhttp_t* parser, const char* at, std::size_t size) noexcept {
    return called(parser, [&](Http1Session& session) REQUIRES(the_lock) { return (session.*event)({at, size}); });
}

const llhttp_settings_t& Http1Session::callbacks() {
    static const llhttp_settings_t made = [] {
        llhttp_settings_t events;
        llhttp_settings_init(&events);
        events.on_message_begin = on<&Http1Session::request_came>;
        events.on_url = on<&Http1Session::target_came>;
        events.on_version = on<&Http1Session::version_came>;
        events.on_header_field = on<&Http1Session::name_came>;
        events.on_header_field_complete = on<&Http1Session::name_ended>;
        events.on_header_value = on<&Http1Session::value_came>;
        events.on_header_value_complete = on<&Http1Session::header_came>;
        events.on_headers_complete = on<&Http1Session::head_came>;
        events.on_body = on<&Http1Session::body_came>;
        events.on_chunk_header = on<&Http1Session::chunk_came>;
        events.on_chunk_extension_name = on<&Http1Session::extension_came>;
        events.on_chunk_extension_value = on<&Http1Session::extension_came>;
        events.on_message_complete = on<&Http1Session::end_came>;
        return events;
    }();
    return made;
}

Http1Session::Http1Session(Peer& peer) : peer_(peer) {
    llhttp_init(&parser_, HTTP_REQUEST, &callbacks());
    parser_.data = this;
}

Http1Session::~Http1Session() { peer_.forget_all(); }

bool Http1Session::receive(std::string_view bytes) {
    if (rest_.empty()) bytes.remove_prefix(parse(bytes));
    rest_.append(bytes);
    parse_rest();
    return !is_broken_;
}

void Http1Session::parse_rest() {
    while (reads() && !rest_.empty()) rest_.drop(parse(rest_.view()));
    if (is_closing_) rest_.clear();
}

/// Parses requests until one is complete; returns how many bytes were used.
std::size_t Http1Session::parse(std::string_view bytes) {
    std::size_t read = 0;
    while (reads() && read < bytes.size()) {
        const std::string_view left = bytes.substr(read);
        if (!line_.look(left)) {
            refuse(400,
                   "this is no request of HTTP/1.1: its first line is METHOD TARGET HTTP/1.1, with one space between "
                   "two, and CRLF");
            return bytes.size();
        }
        const llhttp_errno_t result = llhttp_execute(&parser_, left.data(), left.size());
        if (is_broken_) return bytes.size();
        if (result == HPE_OK) {
            request_.head_bytes += call_ && !request_.is_in_body ? left.size() : 0;
            // Spaces before a value are told nobody.
            if (request_.head_bytes > 2 * peer_.shared.settings.limits.max_header_bytes)
                call().refuse(Refusal::headers);
            return bytes.size();
        }
        if (result != HPE_PAUSED && result != HPE_PAUSED_UPGRADE) {
            refuse(result);
            return bytes.size();
        }
        read += std::size_t(llhttp_get_error_pos(&parser_) - left.data());
        if (result == HPE_PAUSED) llhttp_resume(&parser_);
        if (result == HPE_PAUSED && request_.is_answered) finish();
        if (result == HPE_PAUSED_UPGRADE) llhttp_resume_after_upgrade(&parser_);  // nobody is offered one here
    }
    return read;
}

/// Returns the request that is arriving; creates it at its first byte.
HttpCall& Http1Session::call() {
    if (call_) return *call_;
    has_begun_ = true;
    call_ = static_cast<HttpCall*>(&peer_.begin(*this, ++calls_));
    peer_.due.by(call_->arrived() + peer_.shared.settings.limits.caller_timeout_s);
    request_ = {};
    return *call_;
}

/// Counts bytes of its head, or of the framing of its body.
int Http1Session::bears(std::size_t bytes) { return call().bears_bytes(bytes) ? HPE_OK : HPE_USER; }

int Http1Session::request_came() {
    call();
    return HPE_OK;
}

int Http1Session::target_came(std::string_view piece) {
    call().head.target.append(piece);
    return bears(piece.size());
}

int Http1Session::version_came(std::string_view piece) {
    call().head.version.append(piece);
    return HPE_OK;
}

int Http1Session::name_came(std::string_view piece) {
    if (!request_.is_in_body) call().head.add_name(piece);
    return bears(piece.size());
}

int Http1Session::name_ended() {
    if (!request_.is_in_body) call().head.begin_value();
    return HPE_OK;
}

int Http1Session::value_came(std::string_view piece) {
    if (!request_.is_in_body) call().head.add_value(piece);
    return bears(piece.size());
}

int Http1Session::header_came() {
    constexpr std::size_t overhead = 4;  // bytes around a name and a value
    if (request_.is_in_body) return bears(overhead);  // a trailer, of which nothing is read
    const auto [name, value] = call().head.end_field();
    call().look_at(name, value);
    request_.hosts += name == "host";
    request_.has_length = request_.has_length || name == "content-length";
    if (name == "transfer-encoding")
        request_.is_chunked = request_.encodings++ == 0 && equals_ignoring_case(value, "chunked");
    return bears(overhead);
}

int Http1Session::head_came() {
    HttpCall& call = this->call();
    call.head.verb = llhttp_method_name(llhttp_method_t(llhttp_get_method(&parser_)));
    const std::string& version = call.head.version;
    request_.is_in_body = true;
    if (version.empty() || llhttp_get_method(&parser_) >= HTTP_SOURCE)
        return refuse(400, "this is no request of HTTP/1.1");
    if (!version.starts_with("1.")) return refuse(505, "HTTP/" + version + " isn't spoken here; send HTTP/1.1");
    if (request_.hosts > 1 || (request_.hosts == 0 && version != "1.0")) return refuse(400, "a request has one Host");
    if (request_.encodings > 0 && version == "1.0")
        return refuse(400, "a request of HTTP/1.0 has no Transfer-Encoding");
    if (request_.encodings > 0 &&
        !request_.is_chunked)  // RFC 9112, section 6.1: the body's own coding is none of these
        return refuse(501, "a Transfer-Encoding is chunked alone");
    if (!call.find_host()) return refuse(400, "a target that begins with http:// goes on with a host, and no user");
    keeps_alive_ = llhttp_should_keep_alive(&parser_);
    is_head_ = true;
    call.headers_came();
    is_head_ = false;
    if (call.has_ended()) return request_.is_refused ? HPE_OK : HPE_USER;
    if (call.waits_for_continue() && version != "1.0") {
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        peer_.list();
    }
    return HPE_OK;
}

int Http1Session::body_came(std::string_view bytes) {
    call().data_came(bytes);
    return call().has_ended() && !request_.is_refused ? HPE_USER : HPE_OK;
}

int Http1Session::chunk_came() {
    if (++request_.chunks <= max_chunks) return HPE_OK;
    return refuse(
        400, "the body comes in more than " + std::to_string(max_chunks) + " chunks; send larger ones, or its length");
}

int Http1Session::extension_came(std::string_view piece) { return bears(piece.size()); }

int Http1Session::end_came() {
    is_whole_ = is_waiting_ = true;
    keeps_alive_ = llhttp_should_keep_alive(&parser_) && llhttp_get_method(&parser_) != HTTP_CONNECT;
    if (hung_up_at_ < never) peer_.due.by(now() + closed_patience_s);
    call().end_came();
    return HPE_PAUSED;
}

int Http1Session::refuse(int status, std::string_view words) {
    call().refuse_bytes(status, words);
    return HPE_USER;
}

/// Refuses what llhttp can't parse, unless a callback has caused the error.
void Http1Session::refuse(llhttp_errno_t why) {
    if (call().has_ended()) return;
    const std::string& version = call().head.version;
    if (why == HPE_INVALID_VERSION && !version.empty() && version[0] != '1') {
        refuse(505, "HTTP/" + version + " isn't spoken here; send HTTP/1.1");
    } else if (why == HPE_INVALID_TRANSFER_ENCODING && !request_.has_length) {
        refuse(501, "a Transfer-Encoding is chunked alone");
    } else {
        const char* const reason = llhttp_get_error_reason(&parser_);
        refuse(400, std::string("this is no request of HTTP/1.1: ") + (reason ? reason : "malformed"));
    }
}

void Http1Session::respond(Call&, HeaderFields headers, bool has_body) {
    is_answering_ = true;
    has_body_ = has_body;
    request_.is_refused = is_head_ && call_->has_small_body(max_rest);
    is_closing_ = !(is_whole_ || request_.is_refused) || !keeps_alive_ || is_leaving_ || peer_.peer_address.is_extra;
    for (const auto& [name, value] : headers) {
        if (name == ":status") out_.append("HTTP/1.1 ").append(value).append(" ").append(reason_of(value));
        else out_.append(name).append(": ").append(value);
        out_ += "\r\n";
    }
    if (is_closing_) out_ += "connection: close\r\n";
    else if (call_->head.version == "1.0") out_ += "connection: keep-alive\r\n";
    out_ += "\r\n";
}

std::optional<std::string_view> Http1Session::next() {
    static thread_local std::array<std::uint8_t, max_piece> room;
    if (lent_ > 0) call_->body_sent(std::exchange(lent_, 0));
    while (!is_broken_) {
        const std::string_view body =
            is_answering_ && has_body_ && out_.empty() ? call_->body_front(max_lent) : std::string_view();
        if (body.size() > max_piece) {
            lent_ = body.size();
            return body;
        }
        while (is_answering_ && out_.size() < max_piece) {
            const Call::Piece piece = has_body_ ? call_->read(room) : Call::Piece{0, Call::Piece::Then::end};
            out_.append(reinterpret_cast<const char*>(room.data()), piece.size);
            if (piece.then == Call::Piece::Then::end) end_answer();
        }
        if (!out_.empty() || rest_.empty() || !reads()) break;
        parse_rest();
        if (!is_answering_ && out_.empty()) break;
    }
    if (is_broken_) return std::nullopt;
    sent_.clear();
    sent_.swap(out_);
    return sent_;
}

/// Goes on to the next request, unless the body of this one is still arriving.
void Http1Session::end_answer() {
    if (is_whole_ || is_closing_) return finish();
    is_answering_ = false;
    request_.is_answered = true;
}

void Http1Session::finish() {
    lent_ = 0;
    peer_.forget(*std::exchange(call_, nullptr));
    line_ = {};
    is_answering_ = is_waiting_ = is_whole_ = false;
}

bool Http1Session::is_over() const { return !call_ && out_.empty() && (is_closing_ || has_left_); }

bool Http1Session::wants_more() const { return reads() || is_closing_ || rest_.size() < max_rest; }

double Http1Session::ends_at() const {
    if (call_ && request_.is_answered) return call_->arrived() + peer_.shared.settings.limits.caller_timeout_s;
    const bool is_waited_for = hung_up_at_ < never && call_ && !is_answering_;
    return is_waited_for ? std::max(hung_up_at_, call_->arrived()) + closed_patience_s : never;
}

void Http1Session::hung_up() {
    hung_up_at_ = std::min(hung_up_at_, now());
    peer_.due.by(hung_up_at_ + closed_patience_s);
}

}  // namespace transport
