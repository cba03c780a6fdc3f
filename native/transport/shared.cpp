#include "shared.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "grpc_call.hpp"
#include "peer.hpp"

namespace transport {
namespace {
constexpr std::size_t max_ended = 1 << 16;  // calls that Python hasn't asked about yet
constexpr double stalled_s = 1;              // without a byte more, after which a message gives way to all that come
constexpr double last_read_s = 2;            // that callers of a draining server may leave their answers unread
constexpr double looks_at_parked_s = 0.05;   // between two looks at who has read enough
}  // namespace

void EndedCalls::note(const Ended& call) noexcept {
    try {
        if (calls_.size() < max_ended) return calls_.push_back(call);
    } catch (const std::bad_alloc&) {
    }
    ++uncounted_;
}

Message* Outstanding::find(std::uint64_t id) const {
    const auto found = messages_.find(id);
    return found == messages_.end() ? nullptr : found->second;
}

Message* Outstanding::remove(std::uint64_t id) {
    const auto found = messages_.extract(id);
    return found ? found.mapped() : nullptr;
}

void Outstanding::abandon(std::uint64_t id, bool is_of_application) noexcept {
    try {
        if (messages_.erase(id)) gone_[is_of_application].push_back(id);
    } catch (const std::bad_alloc&) {
    }
}

void SlicedDepth::add(const Message& message) {
    const bool is_read = message.job && message.job->is_whole();
    const std::size_t waiting = is_read ? message.job->untaken() : message.listed;
    if (is_read && waiting == 0) return;
    ++requests;
    sentences += waiting;
    tokens += is_read ? message.job->untaken_tokens() : message.size / token_bytes;
}

Shared::Shared(TransportSettings told)
    : settings(std::move(told)),
      slots(settings.limits.max_concurrent_requests),
      requests(settings.limits.requests),
      held(settings.limits.held_total_bytes),
      making(settings.limits.making_bytes),
      unread(settings.limits.unread_total_bytes) {
    for (const std::string& service : settings.health_services) is_serving[service] = false;
    std::transform(settings.statuses.begin(), settings.statuses.end(), trailers_.begin(),
                   [](const Status& status) { return std::make_shared<const Trailer>(status); });
}

Network& Shared::network(const std::string& address) {
    return networks
        .try_emplace(address, address, turns, Wholes{slots, held, unread}, settings.limits.network_unread_bytes)
        .first->second;
}

void Shared::park(Message& message) {
    Network& network = message.call->network();
    parking.insert(&network);
    const auto at = network.parked.insert(network.parked.end(), &message);
    message.line->remove(message);  // after what may fail: it is never nowhere
    message.parked.stand_for(network.parked, at);
    message.call->note(EventKind::call_parked);
    due.by(now() + looks_at_parked_s);
}

void Shared::unpark(Network& network) {
    try {
        unpark_some(network);
    } catch (const std::bad_alloc&) {
        due.by(now() + looks_at_parked_s);
    }
}

void Shared::unpark_some(Network& network) {
    const auto has_read = [](const Budget& budget) { return budget.used() <= budget.limit() / 2; };
    if (!has_read(network.unread)) return;
    for (auto next = network.parked.begin(); next != network.parked.end();) {
        Message& message = **next++;
        if (!has_read(message.call->peer().unread)) continue;
        message.line->put(message);
        message.parked.leave();
    }
    if (network.parked.empty()) parking.erase(&network);
}

void Shared::unpark_all() {
    const std::vector<Network*> of(parking.begin(), parking.end());
    for (Network* network : of) unpark(*network);
    if (!parking.empty()) due.by(now() + looks_at_parked_s);
}

double Shared::stall_s(bool is_http) const {
    const Limits& limits = settings.limits;
    const double usual_s = is_http ? std::min(limits.stall_s, limits.caller_timeout_s) : limits.stall_s;
    return is_draining ? std::min(usual_s, last_read_s) : usual_s;
}

const std::string& Shared::date() {
    const std::time_t time = std::time(nullptr);
    if (dated_at_ == time) return date_;
    std::tm broken_down{};
    gmtime_r(&time, &broken_down);
    std::array<char, 64> text;
    date_.assign(text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &broken_down));
    dated_at_ = time;
    return date_;
}

SlicedDepth Shared::sliced() const {
    SlicedDepth depth;
    lines.small.each_unbegun([&depth](const Message& message) { depth.add(message); });
    for (const auto& [id, message] : outstanding.messages())
        if (message->job) depth.add(*message);
    return depth;
}

void Shared::set_serving(bool serving, const std::vector<std::string>& services) {
    if (is_draining) return;
    for (const std::string& service : services) {
        const auto found = is_serving.find(service);
        if (found == is_serving.end() || std::exchange(found->second, serving) == serving) continue;
        for (GrpcCall* watcher : watchers) watcher->tell_health(service, serving);
    }
}

bool Shared::make_way(const Call& newcomer, double time) {
    if (!reading.empty() && time - reading.front()->arrived() > settings.limits.caller_timeout_s) {
        reading.front()->refuse(Refusal::slow);
        return true;
    }
    const Network& greediest = this->greediest([](const Network& network) { return network.slots.used(); });
    const bool is_much_greedier = greediest.slots.used() >= 2 * (newcomer.network().slots.used() + 1);
    if (&greediest != &newcomer.network() && is_much_greedier && give_way(greediest, 0)) return true;
    return newcomer.peer().slots.used() == 0 && give_way(greediest, 1);
}

/// Refuses a call of a network: the latest one on the connection with which it has most, which must be more than
/// `min_calls`. Returns false if all of its calls were taken.
bool Shared::give_way(const Network& greediest, std::size_t min_calls) {
    std::vector<Peer*> found;
    for (Peer* peer : peers)
        if (peer->slots.used() > min_calls) found.push_back(peer);
    std::sort(found.begin(), found.end(),
              [](const Peer* one, const Peer* other) { return one->slots.used() > other->slots.used(); });
    return std::any_of(found.begin(), found.end(),
                       [&](Peer* peer) REQUIRES(the_lock) { return peer->give_way(greediest); });
}

void Shared::shed() {
    while (held.is_exceeded()) {
        Network* const greediest = &this->greediest([](const Network& network) { return network.held.used(); });
        if (!greediest->receiving.empty() && now() - greediest->receiving.front()->came() > stalled_s) {
            greediest->receiving.front()->refuse(Refusal::room);
            continue;
        }
        Peer* holder = nullptr;
        for (Peer* peer : peers)
            if (&peer->network == greediest && (!holder || peer->held.used() > holder->held.used())) holder = peer;
        holder->shed();
    }
}

void Shared::end_late(const Line& in) {
    while (Message* const late = lines.late(in)) late->call->refuse(Refusal::late);
}

void Shared::end_expired(double time) {
    while (!deadlines.empty() && deadlines.begin()->first <= time) deadlines.begin()->second->expire();
    if (!deadlines.empty()) due.by(deadlines.begin()->first);
}

void Shared::end_stalled(double time) {
    for (auto& [address, network] : networks) {
        auto& receiving = network.receiving;
        while (!receiving.empty() && time - receiving.front()->came() > settings.limits.caller_timeout_s)
            receiving.front()->or_reset([&]() REQUIRES(the_lock) { receiving.front()->end_slow(); });
        if (!receiving.empty()) due.by(receiving.front()->came() + settings.limits.caller_timeout_s);
    }
}

}  // namespace transport
