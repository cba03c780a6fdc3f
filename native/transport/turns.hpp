// In whose turn messages are taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "account.hpp"
#include "message.hpp"

namespace transport {

/// Messages by whose turn it is: that of the network that has had the least, in it of the caller who has, and of theirs the oldest one's.
class Turns {
public:
    /// Adds a message. Where there is no memory for that, nothing has changed.
    void add(Message& message);

    /// Removes a message, if it is here. Takes no memory, and never fails; nor does to stand anew.
    void remove(Message& message);

    /// Has the caller of a message stand where they are now that they were charged for something.
    void stand_anew(const Message& message);

    /// Returns the message whose turn it is, or null.
    Message* first();

    /// Returns the newest message of who has had the most, or null.
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
        double had() const { return account.had(); }

        const Account& account;
        std::vector<Message*> messages;  // the oldest first
        Order<Caller>::Node node;
    };
    struct FromNetwork {
        explicit FromNetwork(const Account& of) : account(of) {}
        double had() const { return account.had(); }

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
