// A call from its headers to its end.
#include "call.hpp"

#include <algorithm>

#include "grpc.hpp"
#include "peer.hpp"
#include "trace.hpp"

namespace transport {
namespace {
constexpr std::string_view health = "/grpc.health.v1.Health/";
constexpr std::size_t header_overhead = 64;    // bytes that a header costs besides its own, about
constexpr std::size_t most_times_headers = 4;  // as large as they may be, before no status is told any more
constexpr double least_patience_s = 2;  // of a call that is refused, and whose caller can wait a while before the next
}  // namespace

Call::Call(Peer& peer, Streams& streams, std::int32_t stream)
    : peer_(peer),
      streams_(streams),
      shared_(peer.shared),
      stream_(stream),
      caller_(peer.id),
      arrived_(now()),
      held_(Budget::unlimited, &peer.held),
      progressed_(arrived_) {
    shared_.open.use(1);
}

bool Call::is_metered() const {
    return (kind_ == Kind::unary || kind_ == Kind::stream) && shared_.settings.methods[method_].is_metered;
}

bool Call::may_be_small() const {
    return kind_ == Kind::unary && shared_.lines.is_small_method(method_) && is_plain();
}

bool Call::is_plain() const { return !has_other_headers_ && (!shared_.is_traced || is_unsampled_); }

// Not all of its time: an estimate may be wrong, and comes before it is read.
double Call::patience_s() const { return shared_.settings.most_wait * (deadline_ - arrived_); }

bool Call::can_wait() const { return deadline_ - arrived_ > least_patience_s; }

/// One entry of HPACK's table, named again and again, would have HTTP/2 look at 4 KB for each byte: it resets the
/// stream of a call that bears no more, and only unpacks what else there is.
bool Call::bears(std::size_t bytes) {
    constexpr std::size_t overhead = 32;  // as HTTP/2 counts them
    header_bytes_ += bytes + overhead;
    peer_.overhead.unpacked(bytes + overhead);
    if (header_bytes_ <= most_times_headers * shared_.settings.limits.max_header_bytes) return true;
    refuse(Refusal::headers);
    return false;
}

void Call::header(std::string_view name, std::string_view value) {
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
    } else if (name == "grpc-encoding") {
        is_gzip_ = value == "gzip";
        has_unknown_encoding_ = !is_gzip_ && value != "identity";
    }
    const auto& wanted = shared_.settings.headers;
    if (const auto found = std::find(wanted.begin(), wanted.end(), name); found != wanted.end()) {
        metadata_.emplace_back(found - wanted.begin(), value), held_.use(value.size() + header_overhead);
        if (name == "traceparent")
            is_unsampled_ = ++traceparents_ == 1 && is_unsampled(value);
        else if (name != "tracestate")
            has_other_headers_ = true;
    }
}

void Call::set_path(std::string_view path) {
    const auto& methods = shared_.settings.methods;
    const auto found =
        std::find_if(methods.begin(), methods.end(), [&](const Method& method) { return method.path == path; });
    method_ = std::size_t(found - methods.begin());
    if (found != methods.end())
        kind_ = found->is_stream ? Kind::stream : Kind::unary;
    else if (path.starts_with(health) && path.substr(health.size()) == "Check")
        kind_ = Kind::health_check;
    else if (path.starts_with(health) && path.substr(health.size()) == "Watch")
        kind_ = Kind::health_watch;
}

/// Looks its key up. Two keys of one call are no key.
void Call::authorize(std::string_view value) {
    const std::string* const digest = key_ == Key::none ? &peer_.key_digest.of(value) : nullptr;
    const auto found = digest ? shared_.keys->find(*digest) : shared_.keys->end();
    const bool is_known = found != shared_.keys->end();
    key_ = is_known ? Key::known : Key::unknown;
    caller_ = is_known ? caller_of(*digest) : peer_.id;  // its turns, by whatever connections
    key_digest_ = is_known ? *digest : "";
    usage_ = is_known ? found->second : nullptr;
}

void Call::headers_came() {
    const Limits& limits = shared_.settings.limits;
    const bool is_whole = header_bytes_ <= limits.max_header_bytes;  // else not all of them were looked at
    if (is_whole && (!is_post_ || !is_grpc_)) return submit_http_status(is_post_ ? "415" : "405");
    peer_.used_at = arrived_;
    if (deadline_ < never) {
        due_.stand_for(shared_.deadlines, shared_.deadlines.emplace(deadline_, this));
        shared_.due.by(deadline_);
    }
    if (is_metered()) shared_.began = arrived_;
    Refusal why = refusal();
    if (why == Refusal::full && shared_.make_way(peer_, arrived_)) why = refusal();
    if (why == Refusal::none && peer_.held.is_exceeded()) why = Refusal::full;
    if (why == Refusal::none && kind_ == Kind::health_watch && !begin_watch()) why = Refusal::full;
    if (why != Refusal::none) {
        const bool has_no_room = why == Refusal::full || why == Refusal::late;
        peer_.refused += has_no_room && can_wait();
        if (has_no_room) peer_.overhead.asked(header_bytes_);
        return refuse(why);
    }
    if (!is_metered()) return peer_.due.by(arrived_ + limits.caller_timeout_s);
    is_owed_ = true;
    shared_.owed.use(1);
    if (kind_ == Kind::unary) take_slot();
}

void Call::end(const Status& status, Refusal refusal) {
    if (is_over_) return;
    disown();
    end_ = status;
    refusal_ = refusal;
    drop(nullptr);
    flush();
    peer_.list();
}

void Call::refuse(Refusal refusal) { end(shared_.settings.status(refusal), refusal); }

void Call::expire() {
    due_.leave();
    end(shared_.settings.status(Refusal::expired), Refusal::none);
}

void Call::close() {
    if (!is_over_) {
        end_ = Status{code_of_leaving(deadline_, arrived_, now()), "", ""};
        count(end_->code);
    }
    drop(nullptr);
    disown();
    give_slot_back();
    peer_.unread.give_back(out_.size());
    shared_.open.give_back(1);
}

/// Counts a call's end, unless Python took it as a whole and counts it itself.
void Call::count(int code) {
    if (is_of_health() || is_counted_by_python_) return;
    const int method = kind_ == Kind::unknown ? -1 : int(method_);
    shared_.ended.note({method, code, refusal_, now() - arrived_});
}

void Call::drain() {
    if (has_ended()) return;
    if (is_metered() && waits_for_request()) refuse(Refusal::draining);
    const bool is_whole = has_closed_ && unframed_.empty();  // it ends by itself
    if (kind_ != Kind::stream || is_whole) return;
    end_ = shared_.settings.status(Refusal::draining);
    refusal_ = Refusal::draining;
    flush();
}

void Call::end_if_stalled(double time) {
    if (!out_.empty() && peer_.due.has_come(progressed_ + shared_.stall_s(), time)) {
        streams_.reset(*this);
        peer_.list();
    }
    const bool may_be_slow = !is_metered() && waits_for_request();
    if (may_be_slow && peer_.due.has_come(arrived_ + shared_.settings.limits.caller_timeout_s, time)) refuse(Refusal::slow);
}

}  // namespace transport
