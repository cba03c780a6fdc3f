// Writes what a gRPC call is sent: headers, answers and status.
#include <algorithm>
#include <array>
#include <utility>

#include "grpc.hpp"
#include "grpc_call.hpp"
#include "peer.hpp"

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

/// The last headers of a call. Owns their text.
class Trailer {
public:
    explicit Trailer(const Status& status)
        : code_(std::to_string(status.code)),
          message_(percent_encoded(cut(status.message, most_message))),
          details_(base64(status.details)) {
        if (details_.size() > most_details) details_.clear();
    }

    /// Writes the fields to `to`, and returns how many.
    std::size_t fields(HeaderField* to) const {
        std::size_t count = 0;
        to[count++] = {"grpc-status", code_};
        if (!message_.empty()) to[count++] = {"grpc-message", message_};
        if (!details_.empty()) to[count++] = {"grpc-status-details-bin", details_};
        return count;
    }

private:
    std::string code_, message_, details_;
};

}  // namespace

void GrpcCall::put_message(std::string content, std::size_t sentences, std::size_t bytes) {
    put(prefix_of(content.size()));
    put(std::move(content));
    leaving_.push_back({put_, sentences, bytes});
}

/// Lets HTTP/2 send what has become ready: a response's start, more of it, or a status alone.
void GrpcCall::submit() {
    peer_.owes = peer_.owes || is_owed_;
    if (has_begun_) {
        if (std::exchange(is_deferred_, false)) streams_.resume(*this);
        return;
    }
    if (out_.empty() && !is_over_) return;
    has_begun_ = true;
    std::array<HeaderField, 6> fields{
        {{":status", "200"},
         {"content-type", "application/grpc"},
         {"grpc-accept-encoding", shared_.settings.limits.max_inflated_bytes ? "identity,gzip" : "identity"}}};
    if (!out_.empty()) return streams_.respond(*this, std::span(fields).first(3), true);
    const Trailer trailer(*end_);
    const std::size_t count = trailer.fields(fields.data() + 3);
    streams_.respond(*this, std::span(fields).first(3 + count), false);
}

/// Answers what isn't gRPC: a status of HTTP, and nothing more.
void GrpcCall::submit_http_status(std::string_view status) {
    const HeaderField field{":status", status};
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
        std::array<HeaderField, 3> fields;
        const Trailer trailer(*end_);
        streams_.end(*this, std::span(fields).first(trailer.fields(fields.data())));
        return {count, Piece::Then::trailers};
    }
    is_deferred_ = count == 0;
    return {count, is_deferred_ ? Piece::Then::later : Piece::Then::more};
}

}  // namespace transport
