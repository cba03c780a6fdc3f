// HTTP/1.1's answers, in the order of its requests, and how long they are waited for.
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "http1_session.hpp"
#include "http_status.hpp"

namespace transport {
namespace {

constexpr std::size_t most_rest = 1 << 14;   // bytes that are read before the answer to what came before them
constexpr std::size_t most_piece = 1 << 14;  // of a response's body, that is copied
constexpr std::size_t most_lent = 1 << 18;   // of a long one's, that is sent at once

}  // namespace

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

std::optional<std::string_view> Http1Session::next() {
    static thread_local std::array<std::uint8_t, most_piece> room;
    if (lent_ > 0) call_->body_sent(std::exchange(lent_, 0));
    while (!is_broken_) {
        const std::string_view body = is_answering_ && has_body_ && out_.empty() ? call_->body_front(most_lent) : std::string_view();
        if (body.size() > most_piece) {
            lent_ = body.size();
            return body;
        }
        while (is_answering_ && out_.size() < most_piece) {
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

/// Goes on to the next request, unless the body of this one is still to come.
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

bool Http1Session::wants_more() const { return reads() || is_closing_ || rest_.size() < most_rest; }

double Http1Session::ends_at() const {
    if (call_ && request_.is_answered) return call_->arrived() + peer_.shared.settings.limits.caller_timeout_s;
    const bool is_waited_for = hung_up_at_ < never && call_ && !is_answering_;
    return is_waited_for ? std::max(hung_up_at_, call_->arrived()) + patience_s : never;
}

void Http1Session::hung_up() {
    hung_up_at_ = std::min(hung_up_at_, now());
    peer_.due.by(hung_up_at_ + patience_s);
}

void Http1Session::respond(Call&, HeaderFields headers, bool has_body) {
    is_answering_ = true;
    has_body_ = has_body;
    request_.is_refused = is_head_ && call_->has_small_body(most_rest);
    is_closing_ = !(is_whole_ || request_.is_refused) || !keeps_alive_ || is_leaving_ || peer_.endpoint.is_extra;
    for (const auto& [name, value] : headers) {
        if (name == ":status") out_.append("HTTP/1.1 ").append(value).append(" ").append(reason_of(value));
        else out_.append(name).append(": ").append(value);
        out_ += "\r\n";
    }
    if (is_closing_) out_ += "connection: close\r\n";
    else if (call_->head.version == "1.0") out_ += "connection: keep-alive\r\n";
    out_ += "\r\n";
}

}  // namespace transport
