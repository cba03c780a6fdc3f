// Who may begin a call, and who gives way where there is no room.
#include <algorithm>
#include <utility>

#include "connection.hpp"
#include "embed.hpp"

namespace transport {
namespace {
constexpr double most_waited = 0.25;  // of a call's time: an estimate may be wrong, and it came before it was read
constexpr double stalled_s = 1;  // without a byte more, after which a message gives way to all that come

double patience_s(const Call& call) { return most_waited * (call.deadline - call.arrived); }
}  // namespace

std::string_view State::refusal(const Call& call) const {
    if (call.header_bytes > limits.max_header_bytes) return "headers";
    if (call.has_bad_timeout) return "timeout";
    if (call.kind == Kind::unknown) return "unknown";
    if (!is_metered(call)) return {};
    if (keys && call.key != Call::Key::known) return call.key == Call::Key::none ? "no_key" : "unknown_key";
    if (is_draining) return "draining";
    if (call.deadline <= call.arrived) return "expired";
    if (call.connection->unread_bytes() > limits.unread_bytes) return "unread";
    if (call.kind == Kind::stream) return {};
    if (is_late(call, may_be_small(call) ? small : line)) return "late";
    return slots < limits.max_calls ? "" : "full";
}

bool State::is_small(const Message& message) const {
    return may_be_small(*message.call) && !message.is_compressed && message.size <= small_bytes &&
           !sentences_of(message.content, small_sentences).empty();
}

bool State::is_late(const Call& call, const Line& in) const {
    const double left_s = patience_s(call) - taken_s(in);
    return in.wait_s() > left_s && in.wait_s(call.caller) > left_s;
}

void State::end_late(Line& in) {
    for (Message* last = in.last(); last && last->call->kind == Kind::unary; last = in.last()) {
        if (in.wait_s_of_last() + taken_s(in) <= patience_s(*last->call)) return;
        last->call->connection->end(*last->call, status("late"), "late");
    }
}

bool State::make_way(const Call& newcomer) {
    if (!reading.empty() && newcomer.arrived - reading.front()->arrived > limits.handshake_s) {
        Call& slow = *reading.front();
        slow.connection->end(slow, status("slow"), "slow");
        return true;
    }
    if (newcomer.connection->slots() > 0) return false;
    const auto greediest = std::max_element(connections.begin(), connections.end(),
                                            [](const auto* one, const auto* other) { return one->slots() < other->slots(); });
    return (*greediest)->slots() > 1 && (*greediest)->give_way();
}

void State::shed() {
    while (held_bytes > limits.held_total_bytes) {
        const auto holds_less = [](const auto& one, const auto& other) { return one.second.held_bytes < other.second.held_bytes; };
        const Network& greediest = std::max_element(networks.begin(), networks.end(), holds_less)->second;
        if (!greediest.receiving.empty() && now() - greediest.receiving.front()->came > stalled_s) {
            Call& stalled = *greediest.receiving.front();
            stalled.connection->end(stalled, status("full"), "full");
            continue;
        }
        Connection* holder = nullptr;
        for (Connection* one : connections)
            if (&one->network == &greediest && (!holder || one->held_bytes() > holder->held_bytes())) holder = one;
        holder->shed();
    }
}

void State::end_stalled(double time) {
    for (auto& [address, network] : networks) {
        while (!network.receiving.empty() && time - network.receiving.front()->came > limits.handshake_s) {
            Call& stalled = *network.receiving.front();
            stalled.connection->end(stalled, status("slow"), "slow");
        }
        if (!network.receiving.empty()) due = std::min(due, network.receiving.front()->came + limits.handshake_s);
    }
}

/// Keeps a call among those whose message has begun to come, in the order of when more of it came.
void Connection::note_progress(Call& call) {
    if (call.is_over || call.end || call.unread.empty() || !has_room(call)) return forget_progress(call);
    auto& receiving = network.receiving;
    call.came = now();
    if (call.receiving) receiving.splice(receiving.end(), receiving, *call.receiving);
    else call.receiving = receiving.insert(receiving.end(), &call);
    state_.due = std::min(state_.due, call.came + state_.limits.handshake_s);
}

void Connection::forget_progress(Call& call) {
    if (call.receiving) network.receiving.erase(*std::exchange(call.receiving, std::nullopt));
}

void Connection::give_place_up() {
    for (const auto& [stream, call] : calls_)
        if (!call->is_over && !call->end) refuse(*call, "full");
    go_away();
    send();
}

bool Connection::give_way() {
    Call* latest = nullptr;
    for (const auto& [stream, call] : calls_)
        if (call->holds_slot && !call->is_counted_by_python && (!latest || stream > latest->stream)) latest = call.get();
    if (latest) refuse(*latest, "full");
    return latest != nullptr;
}

void Connection::shed() {
    const auto largest = std::max_element(calls_.begin(), calls_.end(), [](const auto& one, const auto& other) {
        return one.second->held < other.second->held;
    });
    refuse(*largest->second, "full");
}

void Connection::refuse(Call& call, std::string_view kind) { end(call, state_.status(kind), kind); }

}  // namespace transport
