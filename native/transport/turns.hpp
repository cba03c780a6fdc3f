// In whose turn messages are taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "account.hpp"
#include "message.hpp"

namespace transport {

/// Fair queue of messages: next is the network that has used the least, in it the caller that has, and of that its
/// oldest message.
class Turns {
public:
    /// Adds a message. If that throws, for lack of memory, nothing has changed.
    void add(Message& message);

    /// Removes a message, if it is here. Takes no memory, and never fails; neither does moving its caller.
    void remove(Message& message);

    /// Moves the caller of a message to its new position after it was charged.
    void stand_anew(const Message& message);

    /// Returns the message whose turn it is, or null.
    Message* first();

    /// Returns the newest message of the caller that has used the most, or null.
    Message* last() const;

    std::size_t size() const { return size_; }

    template <typename Act>
    void each(const Act& act) const {
        for (const auto& [account, network] : networks_)
            for (const auto& [of, caller] : network.callers)
                for (const Message* message : caller.messages) act(*message);
    }

private:
    struct Caller {
        explicit Caller(const Account& of) : account(of) {}
        double start_tag() const { return account.start_tag(); }

        const Account& account;
        std::vector<Message*> messages;  // the oldest first
        Order<Caller>::Node node;
    };
    struct FromNetwork {
        explicit FromNetwork(const Account& of) : account(of) {}
        double start_tag() const { return account.start_tag(); }

        const Account& account;
        std::unordered_map<const Account*, Caller> callers;
        Order<Caller> order;
        Order<FromNetwork>::Node node;
    };

    void stand_anew(FromNetwork& network, Caller& caller);

    std::unordered_map<const Account*, FromNetwork> networks_;
    Order<FromNetwork> order_;
    std::size_t size_ = 0;
};

}  // namespace transport
