// What all connections of a shard share: lines, budgets, counts, and who gives way where there is no room.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "budget.hpp"
#include "clock.hpp"
#include "contract.hpp"
#include "events.hpp"
#include "job.hpp"
#include "keys.hpp"
#include "lines.hpp"
#include "lock.hpp"
#include "network.hpp"
#include "settings.hpp"
#include "totals.hpp"
#include "trailer.hpp"

namespace transport {

class GrpcCall;
class Peer;

/// Call that the transport ended by itself, for Python to count.
struct Ended {
    int method;  // -1 where it was none
    int code;
    Refusal refusal;
    double seconds;
};

/// Calls that the transport has ended by itself since Python last asked: up to a limit, and the number of further ones.
class EndedCalls {
public:
    /// Notes a call. Never fails: if there is no memory for it, it is only counted as uncounted.
    void note(const Ended& call) noexcept;
    std::vector<Ended> hand_over() { return std::exchange(calls_, {}); }
    std::size_t uncounted() const { return uncounted_; }

private:
    std::vector<Ended> calls_;
    std::size_t uncounted_ = 0;
};

/// Messages that were handed over and aren't answered yet, by their ids.
class Outstanding {
public:
    void add(Message& message) { messages_.emplace(message.id, &message); }

    /// Returns a message, or null if its caller has left.
    Message* find(std::uint64_t id) const;

    /// Removes and returns a message, or null if its caller has left.
    Message* remove(std::uint64_t id);

    /// Removes a message, if it is there, because its caller has left; Python will be told. If memory for that fails,
    /// Python notices when it answers.
    void abandon(std::uint64_t id, bool is_of_application = false) noexcept;

    bool has_news(bool of_application = false) const { return !gone_[of_application].empty(); }
    std::vector<std::uint64_t> hand_over_gone(bool of_application = false) {
        return std::exchange(gone_[of_application], {});
    }
    std::size_t size() const { return messages_.size(); }
    const auto& messages() const { return messages_; }

private:
    std::unordered_map<std::uint64_t, Message*> messages_;
    std::array<std::vector<std::uint64_t>, 2> gone_;  // of workers, and of the application
};

/// Waiting parts of long requests that are served in slices. For requests that aren't parsed yet it is estimated from
/// their bytes.
struct SlicedDepth {
    std::size_t requests = 0, sentences = 0, tokens = 0;

    void add(const Message& message);
};

/// Counts since the start.
struct Counters {
    std::uint64_t connections = 0, calls = 0, resets = 0, received_bytes = 0, sent_bytes = 0;
};

/// State that all connections of a shard share, under its lock.
class Shared {
public:
    Shared(std::shared_ptr<Totals> totals, std::size_t index);

    /// State of a server's only shard.
    explicit Shared(TransportSettings told) : Shared(std::make_shared<Totals>(std::move(told)), 0) {}

    const std::shared_ptr<Totals> all;  // shards
    const TransportSettings& settings = all->settings;
    const std::size_t index;

    /// Does something in the other shards, one after the other, until it returns true; returns whether it did. Shards
    /// whose locks others hold for longer than a moment are left out.
    using Act = std::function<bool(Shared&)>;
    std::function<bool(const Act&)> in_others = [](const Act&) { return false; };

    std::function<void(Peer&)> close = [](Peer&) {};  // closes a connection here

    /// Returns the trailer of a gRPC call that is refused for this reason; for Refusal::none, of one that was answered.
    const std::shared_ptr<const Trailer>& trailer(Refusal refusal) const { return trailers_[std::size_t(refusal)]; }

    std::shared_ptr<const Keys> keys GUARDED_BY(the_lock);  // null: callers need no key
    std::map<std::string, bool, std::less<>> is_serving GUARDED_BY(the_lock);  // by the services that health knows
    bool is_traced GUARDED_BY(the_lock) = false;  // spans are kept of calls
    bool is_draining GUARDED_BY(the_lock) = false;

    TurnClock turns GUARDED_BY(the_lock);  // of networks; before whatever waits
    Lines lines GUARDED_BY(the_lock);
    Outstanding outstanding GUARDED_BY(the_lock);
    EndedCalls ended GUARDED_BY(the_lock);
    Events events GUARDED_BY(the_lock);
    Counters begun GUARDED_BY(the_lock);
    double began GUARDED_BY(the_lock) = now();  // when a call that takes a slot last began, of whatever kind
    DueTime due GUARDED_BY(the_lock);

    Budget open GUARDED_BY(the_lock);  // calls of every kind
    Budget owed GUARDED_BY(the_lock);  // calls whose answers are owed
    Budget requests GUARDED_BY(the_lock);  // of the application, that are open
    Budget making GUARDED_BY(the_lock);  // bytes of long requests that are served in slices
    Budget slots GUARDED_BY(the_lock);  // of unary calls that take one
    Budget held GUARDED_BY(the_lock);  // bytes of requests that came and were not taken
    Budget unread GUARDED_BY(the_lock);  // bytes of answers that callers have not read

    std::unordered_map<std::string, Network> networks GUARDED_BY(the_lock);  // by what their addresses begin with
    std::set<Network*> parking GUARDED_BY(the_lock);  // of which messages wait until more of answers is read
    std::set<Peer*> peers GUARDED_BY(the_lock);
    std::list<Peer*> to_send GUARDED_BY(the_lock);  // of which something is to be sent
    std::list<Call*> reading GUARDED_BY(the_lock);  // with a slot, whose requests are on their way, the oldest first
    std::list<GrpcCall*> watchers GUARDED_BY(the_lock);  // of health, and of services that nobody knows
    std::multimap<double, Call*> deadlines GUARDED_BY(the_lock);

    Network& network(const std::string& address) REQUIRES(the_lock);

    /// Returns a number for a message, which no other has. Its last eight bits say in which shard the message is.
    std::uint64_t next_id() REQUIRES(the_lock) { return ++last_id_ << shard_bits | index; }
    static std::size_t shard_of(std::uint64_t id) { return id & ((1 << shard_bits) - 1); }

    /// Tells the other shards what waits here, and when something is due.
    void publish() REQUIRES(the_lock);

    static Turn turn_of(const Message& message) REQUIRES(the_lock);

    /// Does `act` in the shard where `measure` is the highest; where it is 0 everywhere, or that fails, in whichever it
    /// succeeds. Returns whether it did.
    bool where_most(const std::function<std::size_t(Shared&)>& measure, const Act& act) REQUIRES(the_lock);

    /// Returns for how many seconds a caller may read nothing of its answers.
    double stall_s(bool is_http) const REQUIRES(the_lock);

    /// Returns the current date in HTTP's format.
    const std::string& date() REQUIRES(the_lock);

    SlicedDepth sliced() const REQUIRES(the_lock);

    /// Sets the health of these services, as far as they are known, and tells those who watch them.
    void set_serving(bool serving, const std::vector<std::string>& services) REQUIRES(the_lock);

    /// Ends a call so that `newcomer` can have its slot: one whose request has been arriving for too long, one of a
    /// network with clearly more slots, or one of the connection with the most if the newcomer's has none. Returns
    /// false if there is none.
    bool make_way(const Call& newcomer, double time) REQUIRES(the_lock);

    /// Lets a message wait until more of the answers is read.
    void park(Message& message) REQUIRES(the_lock);

    /// Puts messages in line again whose callers have read enough; tries again later if memory fails.
    void unpark(Network& network) REQUIRES(the_lock);
    void unpark_all() REQUIRES(the_lock);

    /// Ends calls while all requests together hold more bytes than allowed. In the network that holds the most, that is
    /// the message that has made no progress for the longest time, or the largest call of the connection that holds the
    /// most.
    void shed() REQUIRES(the_lock);

    /// Ends answers that nobody reads while all of them exceed their bound: of the network that has the most unread, on
    /// the connection that has.
    void shed_unread() REQUIRES(the_lock);

    /// Drops unread answers of a network, so that `bytes` of a more modest one's can be made; returns false if there is
    /// none.
    bool shed_unread_for(const Network& modest, std::size_t bytes) REQUIRES(the_lock);

    /// Ends calls at the end of `in` that are late because of others.
    void end_late(const Line& in) REQUIRES(the_lock);

    /// Ends calls whose deadlines have passed.
    void end_expired(double time) REQUIRES(the_lock);

    /// Ends calls whose message has begun, but has made no progress for as long as a handshake may take.
    void end_stalled(double time) REQUIRES(the_lock);

private:
    static constexpr unsigned shard_bits = 8;

    Network* network_of(const NetworkTotals& totals) REQUIRES(the_lock);
    bool give_way(const NetworkTotals& greediest, std::size_t min_calls) REQUIRES(the_lock);
    bool shed_stalled_of(const NetworkTotals& greediest) REQUIRES(the_lock);
    Peer* most_held_by(const NetworkTotals& greediest) REQUIRES(the_lock);
    std::shared_ptr<NetworkTotals> greediest_in_unread() const;
    bool shed_unread_of(const NetworkTotals& greediest) REQUIRES(the_lock);
    Peer* most_unread_by(const Network& network) REQUIRES(the_lock);
    void unpark_some(Network& network) REQUIRES(the_lock);

    std::uint64_t last_id_ GUARDED_BY(the_lock) = 0;

    std::array<std::shared_ptr<const Trailer>, std::size_t(Refusal::count)> trailers_;
    std::string date_ GUARDED_BY(the_lock);
    std::time_t dated_at_ GUARDED_BY(the_lock) = 0;
};

}  // namespace transport
