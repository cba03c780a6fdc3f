// A gRPC call from its headers to its end.
#include "grpc_call.hpp"

#include <algorithm>
#include <utility>

#include "grpc.hpp"
#include "peer.hpp"

namespace transport {
namespace {
constexpr std::string_view health = "/grpc.health.v1.Health/";
constexpr std::size_t header_overhead = 64;  // bytes that a header costs besides its own, about
}  // namespace

bool GrpcCall::is_metered() const {
    return (kind_ == Kind::unary || kind_ == Kind::stream) && shared_.settings.methods[method_].is_metered;
}

bool GrpcCall::may_be_small() const {
    return is_metered() && shared_.lines.is_small_method(method_) && is_plain();
}

/// Returns whether no message of a stream may have to wait for its key's share, or be told that its key was withdrawn:
/// Python keeps them in order, and has the words. A key may be withdrawn, or have limits, since the stream began.
bool GrpcCall::look_at_key() {
    if (!shared_.keys) return true;
    const auto found = shared_.keys->find(key_digest_);
    if (found == shared_.keys->end()) return false;
    usage_ = found->second;
    return !has_share();
}

const Line* GrpcCall::line_ahead() const { return may_be_small() ? &shared_.lines.small : &shared_.lines.metered; }

Refusal GrpcCall::unfit() const {
    if (has_bad_timeout_) return Refusal::timeout;
    return kind_ == Kind::unknown ? Refusal::unknown : Refusal::none;
}

std::optional<int> GrpcCall::counted_method() const {
    if (is_of_health()) return std::nullopt;
    return kind_ == Kind::unknown ? -1 : int(method_);
}

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
        if (timeout_s)
            deadline_ = arrived_ + *timeout_s;
        else
            has_bad_timeout_ = true;
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
        if (name == "traceparent")
            look_at_trace(value);
        else if (name != "tracestate")
            has_other_headers_ = true;
    }
}

void GrpcCall::set_path(std::string_view path) {
    const auto& methods = shared_.settings.methods;
    const auto found = std::find_if(methods.begin(), methods.end(),
                                    [&](const Method& method) { return !method.is_http && method.path == path; });
    method_ = std::size_t(found - methods.begin());
    if (found != methods.end())
        kind_ = found->is_stream ? Kind::stream : Kind::unary;
    else if (path.starts_with(health) && path.substr(health.size()) == "Check")
        kind_ = Kind::health_check;
    else if (path.starts_with(health) && path.substr(health.size()) == "Watch")
        kind_ = Kind::health_watch;
}

void GrpcCall::headers_came() {
    const bool is_whole = header_bytes_ <= shared_.settings.limits.max_header_bytes;  // else not all were looked at
    if (is_whole && (!is_post_ || !is_grpc_)) return submit_http_status(is_post_ ? "415" : "405");
    if (let_in() && !is_metered()) peer_.due.by(arrived_ + shared_.settings.limits.caller_timeout_s);
}

void GrpcCall::say_denial(const Denial& denial) {
    end_ = std::make_shared<const Trailer>(filled_in(shared_.settings.status(refusal_), denial));
    flush();
}

void GrpcCall::say_end(Refusal why) {
    end_ = shared_.trailer(why);
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
        streams_.reset(*this);
        peer_.list();
    }
    const bool may_be_slow = !is_metered() && waits_for_request();
    if (may_be_slow && peer_.due.has_come(arrived_ + shared_.settings.limits.caller_timeout_s, time)) refuse(Refusal::slow);
}

}  // namespace transport
