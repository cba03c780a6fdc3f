// Writes what a gRPC call is sent: headers, answers and status.
#include <algorithm>
#include <array>
#include <utility>

#include "grpc.hpp"
#include "grpc_call.hpp"
#include "peer.hpp"

namespace transport {

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
    std::array<HeaderField, 3 + Trailer::most_fields> fields{
        {{":status", "200"},
         {"content-type", "application/grpc"},
         {"grpc-accept-encoding", shared_.settings.limits.max_inflated_bytes ? "identity,gzip" : "identity"}}};
    if (!out_.empty()) return streams_.respond(*this, std::span(fields).first(3), true);
    const std::size_t count = end_->fields(fields.data() + 3);
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
        std::array<HeaderField, Trailer::most_fields> fields;
        streams_.end(*this, std::span(fields).first(end_->fields(fields.data())));
        return {count, Piece::Then::trailers};
    }
    is_deferred_ = count == 0;
    return {count, is_deferred_ ? Piece::Then::later : Piece::Then::more};
}

}  // namespace transport
