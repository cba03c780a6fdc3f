#include "peer.hpp"

#include <algorithm>
#include <utility>

#include "grpc_call.hpp"
#include "http_call.hpp"

namespace transport {

Peer::Peer(Shared& all, std::uint64_t number, Network& from, PeerAddress at)
    : shared(all),
      id(number),
      network(from),
      peer_address(std::move(at)),
      slots(unlimited),
      held(all.settings.limits.held_bytes, &from.held),
      // Behind a proxy are many networks, each of which has bounds of its own.
      unread(peer_address.is_trusted ? unlimited : all.settings.limits.unread_bytes,
             peer_address.is_trusted ? nullptr : &from.unread),
      account(from.account_of(number)),
      requests(all.settings.limits.connection_requests, &all.requests),
      due(&all.due),
      used_at(now()),
      idle_since(used_at) {
    shared.peers.insert(this);
    ++shared.all->standings[shared.index].connections;
    ++network.connections;
    if (!peer_address.is_extra)
        ++network.all->connections[peer_address.is_http], ++shared.all->connections[peer_address.is_http];
    ++shared.begun.connections;
    ++account.users;
}

Peer::~Peer() {
    forget_all();
    unlist();
    --account.users;
    shared.peers.erase(this);
    --shared.all->standings[shared.index].connections;
    --network.connections;
    if (!peer_address.is_extra)
        --network.all->connections[peer_address.is_http], --shared.all->connections[peer_address.is_http];
}

void Peer::list() {
    if (!ticket_.empty()) shared.to_send.splice(shared.to_send.end(), ticket_);
}

void Peer::unlist() {
    if (ticket_.empty()) ticket_.splice(ticket_.end(), shared.to_send, at_);
}

Call& Peer::begin(StreamControl& streams, std::int32_t stream) {
    ++shared.begun.calls;
    std::unique_ptr<Call> begun;
    if (peer_address.is_http) begun = std::make_unique<HttpCall>(*this, streams, stream);
    else begun = std::make_unique<GrpcCall>(*this, streams, stream);
    auto& call = calls_[stream];
    call = std::move(begun);
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

bool Peer::give_way(const Network& of) {
    Call* latest = nullptr;
    for (const auto& [stream, call] : calls_)
        if (&call->network() == &of && call->may_give_way() && (!latest || stream > latest->stream()))
            latest = call.get();
    if (latest) latest->refuse(Refusal::full);
    return latest != nullptr;
}

std::size_t Peer::unread_of(const Network& of) const {
    if (!peer_address.is_trusted) return &network == &of ? unread.used() : 0;
    std::size_t bytes = 0;
    for (const auto& [stream, call] : calls_)
        if (&call->network() == &of) bytes += call->unread();
    return bytes;
}

void Peer::reset_unread(const Network& of) {
    for (const auto& [stream, call] : calls_)
        if (&call->network() == &of && call->unread() > 0) call->reset(EventKind::call_shed);
    list();
}

void Peer::charge(double seconds, std::size_t bytes, Price& price) {
    constexpr double max_times = 8;  // as much as usual: what takes longer is the machine's doing
    seconds = price.capped(units(bytes), seconds, max_times);
    price.note(units(bytes), seconds);
    share_out(seconds);
}

void Peer::charge_ahead(std::size_t bytes, const Price& price) { share_out(price.of(units(bytes))); }

/// Charges these seconds to the accounts of what was touched.
void Peer::share_out(double seconds) {
    constexpr std::size_t of_call = 64;  // bytes that each counts besides
    std::size_t touched = 0;
    for (const auto& [of, count] : touched_) touched += count + of_call;
    if (touched_.empty()) account.charge(seconds);
    for (const auto& [of, count] : touched_) of->charge(seconds * double(count + of_call) / double(touched));
    touched_.clear();
}

void Peer::shed() {
    Call* largest = nullptr;
    for (const auto& [stream, call] : calls_)
        if (!largest || call->held() > largest->held()) largest = call.get();
    largest->refuse(Refusal::room);
}

void Peer::refuse_all() {
    for (const auto& [stream, call] : calls_)
        if (!call->has_ended()) call->refuse(Refusal::connections);
}

void Peer::drain() {
    due.by(0);  // answers that nobody reads have less time from now on
    for (const auto& entry : calls_) {
        Call& call = *entry.second;
        call.or_reset([&]() REQUIRES(the_lock) { call.drain(); });
    }
    list();
}

void Peer::end_stalled_calls(double time) {
    for (const auto& [stream, call] : calls_) call->end_if_stalled(time);
}

}  // namespace transport
