// One connection's calls, and what they have in common. Sockets and HTTP/2's frames are the connection's.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "call.hpp"
#include "endpoint.hpp"
#include "header_field.hpp"
#include "keys.hpp"
#include "overhead.hpp"
#include "shared.hpp"

namespace transport {

constexpr std::size_t min_progress = 1 << 14;  // bytes that a caller has to read, or all, to get on
constexpr double linger_s = 1;                   // that a peer has to close its side, once it was told

/// What calls ask of the protocol that they came by.
class Streams {
public:
    /// Begins a call's response. Its body, if it has one, is asked for by Call::read.
    virtual void respond(Call& call, HeaderFields headers, bool has_body) = 0;

    /// Ends a response after its body.
    virtual void end(const Call& call, HeaderFields trailers) = 0;

    /// Has a call's body asked for again, which had no more to read.
    virtual void resume(const Call& call) = 0;

    /// Lets a call's caller send so many more bytes.
    virtual void consume(const Call& call, std::size_t bytes) = 0;

    /// Ends a call of which nothing more is sent.
    virtual void reset(const Call& call) = 0;

protected:
    ~Streams() = default;
};

class Peer {
public:
    Peer(Shared& shared, std::uint64_t id, Network& network, Endpoint endpoint = {}) REQUIRES(the_lock);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    Shared& shared;
    const std::uint64_t id;
    Network& network;  // that it is in
    const Endpoint endpoint;

    Budget slots, held, unread;  // of what its network shares, its part; the latter with what is being made, and what its socket hasn't taken
    Account& account;            // of calls that come without a key
    Budget messages;             // of its calls, that are not answered
    Budget requests;             // of the application, that are open
    Overhead overhead;
    KeyDigest key_digest;
    DueTime due;
    std::size_t refused = 0;  // calls, for want of room or of a key's share, of callers who can wait
    double used_at;           // time at which a call last began, or a message came or an answer went
    double idle_since;
    bool owes = false;  // of what was read of responses, some is of answers that are owed

    /// Returns for how long it may read nothing of what it is answered, and have no call.
    double stall_s() const REQUIRES(the_lock) { return shared.stall_s(endpoint.is_http); }
    double idle_s() const {
        return endpoint.is_http ? shared.settings.limits.http_idle_s : shared.settings.limits.idle_s;
    }

    /// Has what is ready sent soon: it may be that another connection's caller made it so. Takes no memory, and never fails.
    void list() REQUIRES(the_lock);
    void unlist() REQUIRES(the_lock);

    /// Begins a call, which `streams` has brought.
    Call& begin(Streams& streams, std::int32_t stream) REQUIRES(the_lock);
    bool has(std::int32_t stream) const REQUIRES(the_lock) { return calls_.contains(stream); }

    /// Returns whether there is such a call, and it has not ended.
    bool wants_data(std::int32_t stream) const REQUIRES(the_lock) {
        const auto found = calls_.find(stream);
        return found != calls_.end() && !found->second->has_ended();
    }
    bool is_idle() const REQUIRES(the_lock) { return calls_.empty(); }

    /// Forgets a call whose stream is closed; all of them, whose connection is.
    void forget(Call& call) REQUIRES(the_lock);
    void forget_all() REQUIRES(the_lock);

    /// Refuses the latest call of a network that holds a slot and was not taken; false where there is none.
    bool give_way(const Network& of) REQUIRES(the_lock);

    /// Returns how much of answers a network has left unread here.
    std::size_t unread_of(const Network& of) const REQUIRES(the_lock);

    /// Ends calls of a network whose answers aren't read.
    void reset_unread(const Network& of) REQUIRES(the_lock);

    /// Notes that of what is read or sent now so many bytes are of an account's.
    void touch(Account& of, std::size_t bytes) REQUIRES(the_lock) { touched_.emplace_back(&of, bytes); }

    /// Shares the seconds in which so many bytes were read or sent, at about this price, among those that it was for.
    void charge(double seconds, std::size_t bytes, Price& price) REQUIRES(the_lock);

    /// Refuses the call of which the most is held.
    void shed() REQUIRES(the_lock);

    /// Refuses all calls: another has their connection's place.
    void refuse_all() REQUIRES(the_lock);

    /// Ends calls whose requests haven't come whole, and each stream that goes on once what was read of it is answered.
    void drain() REQUIRES(the_lock);

    /// Ends calls that have stood still for too long.
    void end_stalled_calls(double time) REQUIRES(the_lock);

private:
    std::unordered_map<std::int32_t, std::unique_ptr<Call>> calls_;
    std::vector<std::pair<Account*, std::size_t>> touched_;
    std::list<Peer*> ticket_{this};  // stands there, or among those of which something is to be sent
    const std::list<Peer*>::iterator at_ = ticket_.begin();
};

}  // namespace transport
