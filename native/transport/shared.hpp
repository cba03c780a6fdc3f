// What all connections of a transport share: lines, budgets, counts, and who gives way where there is no room.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
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
#include "http_head.hpp"
#include "job.hpp"
#include "keys.hpp"
#include "lines.hpp"
#include "lock.hpp"
#include "network.hpp"
#include "proxies.hpp"
#include "trailer.hpp"

namespace transport {

class GrpcCall;
class Peer;

/// Configuration of a transport, fixed before it starts.
struct TransportSettings {
    Limits limits;
    Statuses statuses;
    std::vector<Responses> responses = std::vector<Responses>(1);  // of HTTP's refusals, in the words of each API
    std::map<int, int> http_statuses;  // HTTP's status of gRPC's; 500 of all others
    std::optional<Hosts> hosts;   // that a plain call over HTTP may ask for; all, where none are named
    Proxies proxies;              // that say who calls
    std::vector<Method> methods;
    std::vector<std::string> headers;       // that Python wants to see
    std::vector<std::string> health_services;  // that grpc.health.v1 knows
    double max_wait = 1;  // share of its time that a call may be expected to wait

    const Status& status(Refusal refusal) const { return statuses[std::size_t(refusal)]; }
    int http_status(int code) const {
        const auto found = http_statuses.find(code);
        return found == http_statuses.end() ? 500 : found->second;
    }
    const Response& response(Refusal refusal, std::size_t words) const {
        return responses[words][std::size_t(refusal)];
    }
};

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

/// Totals since the start.
struct Counters {
    std::uint64_t connections = 0, calls = 0, resets = 0, received_bytes = 0, sent_bytes = 0;
};

/// State that all connections of a transport share, under its lock.
class Shared {
public:
    explicit Shared(TransportSettings settings);

    const TransportSettings settings;

    /// Returns the trailer of a gRPC call that is refused for this reason; for Refusal::none, of one that was answered.
    const std::shared_ptr<const Trailer>& trailer(Refusal refusal) const { return trailers_[std::size_t(refusal)]; }

    std::optional<Keys> keys GUARDED_BY(the_lock);  // none: callers need no key
    std::map<std::string, bool, std::less<>> is_serving GUARDED_BY(the_lock);  // by the services that health knows
    bool is_traced GUARDED_BY(the_lock) = false;  // spans are kept of calls
    bool is_draining GUARDED_BY(the_lock) = false;

    Price read, sent;  // of bytes
    TurnClock turns GUARDED_BY(the_lock);  // of networks; before whatever waits
    Lines lines GUARDED_BY(the_lock);
    Outstanding outstanding GUARDED_BY(the_lock);
    EndedCalls ended GUARDED_BY(the_lock);
    Events events GUARDED_BY(the_lock);
    Counters begun GUARDED_BY(the_lock);
    std::uint64_t last_id GUARDED_BY(the_lock) = 0;  // of a message
    double began GUARDED_BY(the_lock) = now();  // when a call that takes a slot last began, of whatever kind
    DueTime due GUARDED_BY(the_lock);

    Budget slots GUARDED_BY(the_lock);  // of unary calls that take one
    Budget open GUARDED_BY(the_lock);  // calls of every kind
    Budget requests GUARDED_BY(the_lock);  // of the application, that are open
    Budget owed GUARDED_BY(the_lock);  // calls whose answers are owed
    Budget held GUARDED_BY(the_lock);  // bytes of requests that came and were not taken
    Budget making GUARDED_BY(the_lock);  // bytes of long requests that are served in slices
    Budget unread GUARDED_BY(the_lock);  // bytes of answers that callers have not read

    std::unordered_map<std::string, Network> networks GUARDED_BY(the_lock);  // by what their addresses begin with
    std::set<Network*> parking GUARDED_BY(the_lock);  // of which messages wait until more of answers is read
    std::set<Peer*> peers GUARDED_BY(the_lock);
    std::list<Peer*> to_send GUARDED_BY(the_lock);  // of which something is to be sent
    std::list<Call*> reading GUARDED_BY(the_lock);  // with a slot, whose requests are on their way, the oldest first
    std::list<GrpcCall*> watchers GUARDED_BY(the_lock);  // of health, and of services that nobody knows
    std::multimap<double, Call*> deadlines GUARDED_BY(the_lock);

    std::array<std::size_t, 2> connections GUARDED_BY(the_lock){};  // of gRPC's listeners and of HTTP's, but extra ones

    Network& network(const std::string& address) REQUIRES(the_lock);

    /// Returns the network with the highest `count`; there must be a network.
    template <typename Count>
    Network& greediest(const Count& count) REQUIRES(the_lock) {
        const auto has_less = [&count](const auto& one, const auto& other) {
            return count(one.second) < count(other.second);
        };
        return std::max_element(networks.begin(), networks.end(), has_less)->second;
    }

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

    /// Ends calls at the end of `in` that are late because of others.
    void end_late(const Line& in) REQUIRES(the_lock);

    /// Ends calls whose deadlines have passed.
    void end_expired(double time) REQUIRES(the_lock);

    /// Ends calls whose message has begun, but has made no progress for as long as a handshake may take.
    void end_stalled(double time) REQUIRES(the_lock);

private:
    bool give_way(const Network& greediest, std::size_t min_calls) REQUIRES(the_lock);
    void unpark_some(Network& network) REQUIRES(the_lock);

    std::array<std::shared_ptr<const Trailer>, std::size_t(Refusal::count)> trailers_;
    std::string date_ GUARDED_BY(the_lock);
    std::time_t dated_at_ GUARDED_BY(the_lock) = 0;
};

}  // namespace transport
