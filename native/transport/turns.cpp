#include "turns.hpp"

#include <algorithm>

#include "failure.hpp"

namespace transport {
namespace {
bool is_older(const Message* one, const Message* other) { return one->id < other->id; }
}  // namespace

void Turns::add(Message& message) {
    const Account& of_network = message.account->network();
    FromNetwork& network = networks_.try_emplace(&of_network, of_network).first->second;
    const OnFailure undo([&] {
        std::erase_if(network.callers, [](const auto& entry) { return entry.second.messages.empty(); });
        if (network.callers.empty()) networks_.erase(&of_network);
    });
    Caller& caller = network.callers.try_emplace(message.account, *message.account).first->second;
    auto& messages = caller.messages;
    messages.insert(std::upper_bound(messages.begin(), messages.end(), &message, is_older), &message);
    ++size_;
    if (messages.size() > 1) return;
    const bool has_stood = !network.order.empty();
    network.order.add(caller, message.id);
    if (!has_stood) order_.add(network, message.id);
}

void Turns::remove(Message& message) {
    const auto network = networks_.find(&message.account->network());
    if (network == networks_.end()) return;
    const auto caller = network->second.callers.find(message.account);
    if (caller == network->second.callers.end()) return;
    auto& messages = caller->second.messages;
    const auto index = std::lower_bound(messages.begin(), messages.end(), &message, is_older);
    if (index == messages.end() || *index != &message) return;
    messages.erase(index);
    --size_;
    if (!messages.empty()) return stand_anew(network->second, caller->second);
    network->second.order.remove(caller->second);
    network->second.callers.erase(caller);
    order_.remove(network->second);
    if (network->second.order.empty()) networks_.erase(network);
    else order_.add(network->second, network->second.order.first().messages.front()->id);
}

void Turns::stand_anew(const Message& message) {
    const auto network = networks_.find(&message.account->network());
    if (network == networks_.end()) return;
    const auto caller = network->second.callers.find(message.account);
    if (caller != network->second.callers.end()) stand_anew(network->second, caller->second);
}

void Turns::stand_anew(FromNetwork& network, Caller& caller) {
    network.order.remove(caller);
    network.order.add(caller, caller.messages.front()->id);
    order_.remove(network);
    order_.add(network, network.order.first().messages.front()->id);
}

Message* Turns::first() { return order_.empty() ? nullptr : order_.first().order.first().messages.front(); }

Message* Turns::last() const { return order_.empty() ? nullptr : order_.last().order.last().messages.back(); }

}  // namespace transport
