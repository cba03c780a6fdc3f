// The networks that call a server, and what each has and uses in all its shards together.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "account.hpp"
#include "budget.hpp"
#include "failure.hpp"
#include "keys.hpp"

namespace transport {

/// One network: one IPv4 address, one half of an IPv6 address (a /64), or all sockets without an IP address. For a call
/// through a trusted proxy, the proxy says which network it is. Any thread may ask for its counts and change them.
struct NetworkTotals {
    /// It begins where all `newcomers` are, with a little saved: to be read costs something already.
    NetworkTotals(std::string address, std::uint64_t its_number, std::size_t shards, std::size_t max_unread,
                  const std::shared_ptr<UsedTime>& newcomers = std::make_shared<UsedTime>())
        : prefix(std::move(address)),
          number(its_number),
          used(newcomers->load() - max_saved_s, newcomers),
          callers(shards),
          unread(max_unread) {}

    const std::string prefix;  // what its addresses begin with
    const std::uint64_t number;  // by which Python knows it
    UsedTime used;  // by all of its callers
    VirtualTime callers;  // that take turns with each other
    Pool slots, held, unread;
    std::array<std::atomic<std::size_t>, 2> connections{};  // to gRPC's listeners, and to HTTP's
    std::atomic<std::size_t> watches{0};  // calls that wait for changes of health
    std::atomic<double> rests_until{
        0};  // by when all that was read in vain will have had the time that there is for it
    std::atomic<double> opened_until{0};  // by when all connections that it has opened will have had theirs

    /// Returns what counts a caller's used time: for the holder of a key, the same in all shards; for a connection,
    /// which is in one shard, a new one.
    std::shared_ptr<UsedTime> used_by(std::uint64_t caller) {
        if (!is_of_key(caller)) return std::make_shared<UsedTime>(0);
        const std::lock_guard lock(mutex_);
        if (keys_.size() >= max_keys_) {
            std::erase_if(keys_, [](const auto& entry) { return entry.second.expired(); });
            max_keys_ = 2 * keys_.size() + 16;
        }
        std::weak_ptr<UsedTime>& known = keys_[caller];
        auto found = known.lock();
        if (!found) known = found = std::make_shared<UsedTime>(0);
        return found;
    }

private:
    std::mutex mutex_;
    std::unordered_map<std::uint64_t, std::weak_ptr<UsedTime>> keys_;
    std::size_t max_keys_ = 16;  // with more, those that nobody has any more are forgotten
};

/// All networks by their prefixes. Safe to use from several threads; nothing is locked inside.
class Networks {
public:
    Networks(std::size_t shards, std::size_t max_unread) : shards_(shards), max_unread_(max_unread) {}

    std::shared_ptr<NetworkTotals> find_or_add(const std::string& prefix) {
        const std::lock_guard lock(mutex_);
        const auto found = networks_.find(prefix);
        if (found != networks_.end()) return found->second;
        auto made = std::make_shared<NetworkTotals>(prefix, last_number_ + 1, shards_, max_unread_, newcomers_);
        by_number_.emplace(made->number, made.get());
        const OnFailure undo([&] { by_number_.erase(made->number); });
        networks_.emplace(prefix, made);
        ++last_number_;
        return made;
    }

    /// Returns a network; null if there is none with this prefix.
    std::shared_ptr<NetworkTotals> find(const std::string& prefix) const {
        const std::lock_guard lock(mutex_);
        const auto found = networks_.find(prefix);
        return found == networks_.end() ? nullptr : found->second;
    }

    /// Returns what the network with this number has used; 0 if there is none.
    double used_by(std::uint64_t number) const {
        const std::lock_guard lock(mutex_);
        const auto found = by_number_.find(number);
        return found == by_number_.end() ? 0 : found->second->used.load();
    }

    /// Returns the network with the highest `count`; null if there is none.
    template <typename Count>
    std::shared_ptr<NetworkTotals> greediest(const Count& count) const {
        const std::lock_guard lock(mutex_);
        const auto has_less = [&count](const auto& one, const auto& other) {
            return count(*one.second) < count(*other.second);
        };
        const auto found = std::max_element(networks_.begin(), networks_.end(), has_less);
        return found == networks_.end() ? nullptr : found->second;
    }

    /// Forgets networks that no shard has any more.
    void forget() {
        const std::lock_guard lock(mutex_);
        std::erase_if(networks_, [this](const auto& entry) {
            const bool is_left = entry.second.use_count() == 1;
            if (is_left) by_number_.erase(entry.second->number);
            return is_left;
        });
    }

    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return networks_.size();
    }

private:
    const std::size_t shards_;
    const std::size_t max_unread_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::shared_ptr<NetworkTotals>> networks_;
    std::unordered_map<std::uint64_t, const NetworkTotals*> by_number_;
    std::uint64_t last_number_ = 0;  // never 0: that is none
    const std::shared_ptr<UsedTime> newcomers_ = std::make_shared<UsedTime>(-max_saved_s);
};

}  // namespace transport
