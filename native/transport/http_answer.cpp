// Responses over HTTP: the application's, the fast path's, and those that were prepared for refusals.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "http_call.hpp"
#include "peer.hpp"

namespace transport {
namespace {

/// Returns HTTP's status for gRPC's.
int http_status_of(int code) {
    constexpr std::array<std::pair<int, int>, 7> known{
        {{3, 400}, {4, 504}, {5, 404}, {8, 429}, {13, 500}, {14, 503}, {16, 401}}};
    for (const auto& [from, to] : known)
        if (from == code) return to;
    return 500;
}

/// Writes a string of JSON's: what stands in a status is anybody's.
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
    refusal_ = refusal;
    count(status.code);
    fail(status);
}

/// Says a status for which nothing is prepared, as the server's own errors are said that are no front's.
void HttpCall::fail(const Status& status) {
    const int code = http_status_of(status.code);
    respond({code,
             {{"content-type", "application/json"}},
             "{\"error\":{\"message\":" + json_string(status.message) + ",\"code\":" + std::to_string(code) + "}}"});
}

void HttpCall::say_end(Refusal why) {
    count(shared_.settings.status(why).code);
    respond(shared_.settings.response(why, words()));
}

void HttpCall::say_denial(const Denial& denial) {
    count(shared_.settings.status(refusal_).code);
    respond(filled_in(shared_.settings.response(refusal_, words()), denial));
}

void HttpCall::refuse_bytes(int status, std::string_view words) {
    if (is_over_) return;
    refusal_ = Refusal::malformed;
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

}  // namespace transport
