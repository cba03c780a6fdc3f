#include "shared.hpp"

#include <algorithm>
#include <array>
#include <functional>
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

Shared::Shared(std::shared_ptr<Totals> totals, std::size_t number)
    : all(std::move(totals)),
      index(number),
      turns(all->turns, index),
      requests(all->requests),
      making(all->making),
      slots(all->slots),
      held(all->held),
      unread(all->unread) {
    for (const std::string& service : settings.health_services) is_serving[service] = false;
    std::transform(settings.statuses.begin(), settings.statuses.end(), trailers_.begin(),
                   [](const Status& status) { return std::make_shared<const Trailer>(status); });
}

Network& Shared::network(const std::string& address) {
    const auto found = networks.find(address);
    if (found != networks.end()) return found->second;
    return networks
        .try_emplace(address, all->networks.find_or_add(address), turns, index, Wholes{&slots, &held, &unread})
        .first->second;
}

Network* Shared::network_of(const NetworkTotals& totals) {
    const auto found = networks.find(totals.prefix);
    return found == networks.end() ? nullptr : &found->second;
}

void Shared::publish() {
    Standing& here = all->standings[index];
    const Message *const small = lines.small.first(), *const metered = lines.metered.first();
    const bool is_small = small && (!metered || Line::turn_of(*small) < Line::turn_of(*metered));
    const Message* const next = is_small ? small : metered;
    Turn turn = next ? turn_of(*next) : Turn{};
    turn.is_urgent = lines.unmetered.size() > 0 || outstanding.has_news();
    here.turn.set(turn);
    Message* const request = lines.application.first();
    here.request.set(request ? turn_of(*request) : Turn{});
    here.has_news = outstanding.has_news(true);
    here.small_network = small ? small->call->network().number : 0;
    here.small_tag = small ? small->account->network().start_tag() : never;
    here.slow_at = reading.empty() ? never : reading.front()->arrived() + settings.limits.caller_timeout_s;
    here.waiting = lines.size() + outstanding.has_news();
    here.has_costly = lines.has_costly();
    here.due = due.time();
}

Turn Shared::turn_of(const Message& message) {
    const Account& account = *message.account;
    const bool is_only = message.line->messages(account) == 1;
    return {.modesty = is_only ? 2 - message.is_long : 0,
            .network = message.call->network().number,
            .network_tag = account.network().start_tag(),
            .caller_tag = account.start_tag(),
            .since = message.arrived};
}

bool Shared::where_most(const std::function<std::size_t(Shared&)>& measure, const Act& act) {
    std::size_t most = 0;
    const Shared* where = this;
    const auto look = [&](Shared& in) {
        const std::size_t count = measure(in);
        if (count > most) most = count, where = &in;
        return false;
    };
    look(*this);
    in_others(std::ref(look));  // for which no memory is taken
    if (most == 0) return false;
    if (where == this && act(*this)) return true;
    return in_others([&](Shared& in) { return &in == where && act(in); }) || (where != this && act(*this)) ||
           in_others(act);
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
    const Act end_slow = [time](Shared& in) REQUIRES(the_lock) {
        if (in.reading.empty() || time - in.reading.front()->arrived() <= in.settings.limits.caller_timeout_s)
            return false;
        in.reading.front()->refuse(Refusal::slow);
        return true;
    };
    if (end_slow(*this) || (all->has_slow(time) && in_others(end_slow))) return true;
    const auto greediest = all->networks.greediest([](const NetworkTotals& of) { return of.slots.used(); });
    const NetworkTotals& own = *newcomer.network().all;
    const bool is_much_greedier = greediest->slots.used() >= 2 * (own.slots.used() + 1);
    const auto gives_way = [&](std::size_t min_calls) REQUIRES(the_lock) {
        const auto most_of_one = [min_calls](Shared& in) REQUIRES(the_lock) {
            std::size_t most = 0;
            for (const Peer* peer : in.peers) most = std::max(most, peer->slots.used());
            return most > min_calls ? most : 0;
        };
        return where_most(most_of_one,
                          [&](Shared& in) REQUIRES(the_lock) { return in.give_way(*greediest, min_calls); });
    };
    if (greediest.get() != &own && is_much_greedier && gives_way(0)) return true;
    return newcomer.peer().slots.used() == 0 && gives_way(1);
}

/// Refuses a call of a network: the latest one on the connection with which it has most, which must be more than
/// `min_calls`. Returns false if all of its calls were taken.
bool Shared::give_way(const NetworkTotals& greediest, std::size_t min_calls) {
    const Network* const network = network_of(greediest);
    if (!network) return false;
    std::vector<Peer*> found;
    for (Peer* peer : peers)
        if (peer->slots.used() > min_calls) found.push_back(peer);
    std::sort(found.begin(), found.end(),
              [](const Peer* one, const Peer* other) { return one->slots.used() > other->slots.used(); });
    return std::any_of(found.begin(), found.end(),
                       [&](Peer* peer) REQUIRES(the_lock) { return peer->give_way(*network); });
}

void Shared::shed() {
    while (all->held.is_exceeded()) {
        const auto greediest = all->networks.greediest([](const NetworkTotals& of) { return of.held.used(); });
        const Act stalled = [&](Shared& in) REQUIRES(the_lock) { return in.shed_stalled_of(*greediest); };
        if (stalled(*this) || in_others(stalled)) continue;
        const auto most = [&](Shared& in) REQUIRES(the_lock) {
            const Peer* const holder = in.most_held_by(*greediest);
            return holder ? holder->held.used() : 0;
        };
        const Act largest = [&](Shared& in) REQUIRES(the_lock) {
            Peer* const holder = in.most_held_by(*greediest);
            if (holder) holder->shed();
            return holder != nullptr;
        };
        if (!where_most(most, largest)) return;
    }
}

bool Shared::shed_stalled_of(const NetworkTotals& greediest) {
    Network* const network = network_of(greediest);
    if (!network || network->receiving.empty() || now() - network->receiving.front()->came() <= stalled_s) return false;
    network->receiving.front()->refuse(Refusal::room);
    return true;
}

/// Returns the connection on which a network holds the most bytes; null if it holds none here.
Peer* Shared::most_held_by(const NetworkTotals& greediest) {
    Peer* found = nullptr;
    for (Peer* peer : peers)
        if (peer->network.all.get() == &greediest && peer->held.used() > (found ? found->held.used() : 0)) found = peer;
    return found;
}

std::shared_ptr<NetworkTotals> Shared::greediest_in_unread() const {
    return all->networks.greediest([](const NetworkTotals& of) { return of.unread.used(); });
}

void Shared::shed_unread() {
    while (all->unread.is_exceeded()) {
        const auto greediest = greediest_in_unread();
        if (!greediest || !shed_unread_of(*greediest)) return;
    }
}

bool Shared::shed_unread_for(const Network& modest, std::size_t bytes) {
    const auto greediest = greediest_in_unread();
    return greediest != modest.all && greediest->unread.used() > modest.all->unread.used() + bytes &&
           shed_unread_of(*greediest);
}

/// Closes the connection on which a network has left the most unread. A proxy's connection carries calls of others,
/// too: then only that network's calls end.
bool Shared::shed_unread_of(const NetworkTotals& greediest) {
    const auto most = [&](Shared& in) REQUIRES(the_lock) {
        const Network* const network = in.network_of(greediest);
        const Peer* const of = network ? in.most_unread_by(*network) : nullptr;
        return of ? of->unread_of(*network) : 0;
    };
    return where_most(most, [&](Shared& in) REQUIRES(the_lock) {
        const Network* const network = in.network_of(greediest);
        Peer* const of = network ? in.most_unread_by(*network) : nullptr;
        if (!of) return false;
        if (of->peer_address.is_trusted) {
            of->reset_unread(*network);
        } else {
            of->ends_for(EventKind::shed);
            in.close(*of);
        }
        return true;
    });
}

/// Returns the connection on which a network has left the most unread; null if it has left nothing.
Peer* Shared::most_unread_by(const Network& network) {
    Peer* found = nullptr;
    for (Peer* peer : peers)
        if (peer->unread_of(network) > (found ? found->unread_of(network) : 0)) found = peer;
    return found;
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
