#include "peer.hpp"

#include <algorithm>
#include <utility>

#include "grpc_call.hpp"
#include "http_call.hpp"

namespace transport {

Peer::Peer(Shared& all, std::uint64_t number, Network& from, Endpoint at)
    : shared(all),
      id(number),
      network(from),
      endpoint(std::move(at)),
      slots(Budget::unlimited, &all.slots),
      held(all.settings.limits.held_bytes, &from.held),
      unread(all.settings.limits.unread_bytes, &all.unread),
      requests(all.settings.limits.connection_requests, &all.requests),
      due(&all.due),
      used_at(now()),
      idle_since(used_at) {
    shared.peers.insert(this);
    if (endpoint.is_extra) ++network.extra;
    else ++network.connections[endpoint.is_http], ++shared.connections[endpoint.is_http];
    ++shared.begun.connections;
}

Peer::~Peer() {
    forget_all();
    shared.lines.leave(id);
    shared.peers.erase(this);
    if (endpoint.is_extra) --network.extra;
    else --network.connections[endpoint.is_http], --shared.connections[endpoint.is_http];
}

void Peer::list() {
    if (!std::exchange(is_listed, true)) shared.to_send.push_back(id);
}

Call& Peer::begin(Streams& streams, std::int32_t stream) {
    ++shared.begun.calls;
    auto& call = calls_[stream];
    if (endpoint.is_http) call = std::make_unique<HttpCall>(*this, streams, stream);
    else call = std::make_unique<GrpcCall>(*this, streams, stream);
    return *call;
}

void Peer::forget(Call& call) {
    call.close();
    calls_.erase(calls_.find(call.stream()));
    if (!calls_.empty()) return;
    idle_since = now();
    if (idle_s() > 0) due.by(idle_since + idle_s());
}

void Peer::forget_all() {
    while (!calls_.empty()) forget(*calls_.begin()->second);
}

bool Peer::give_way() {
    Call* latest = nullptr;
    for (const auto& [stream, call] : calls_)
        if (call->may_give_way() && (!latest || stream > latest->stream())) latest = call.get();
    if (latest) latest->refuse(Refusal::full);
    return latest != nullptr;
}

void Peer::shed() {
    Call* largest = nullptr;
    for (const auto& [stream, call] : calls_)
        if (!largest || call->held() > largest->held()) largest = call.get();
    largest->refuse(Refusal::full);
}

void Peer::refuse_all() {
    for (const auto& [stream, call] : calls_)
        if (!call->has_ended()) call->refuse(Refusal::full);
}

void Peer::drain() {
    due.by(0);  // answers that nobody reads have less time from now on
    for (const auto& [stream, call] : calls_) call->drain();
    list();
}

void Peer::end_stalled_calls(double time) {
    for (const auto& [stream, call] : calls_) call->end_if_stalled(time);
}

}  // namespace transport
