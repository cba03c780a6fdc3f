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
#include "peer_address.hpp"
#include "header_field.hpp"
#include "keys.hpp"
#include "overhead.hpp"
#include "shared.hpp"

namespace transport {

constexpr std::size_t min_progress = 1 << 14;  // bytes that a caller has to read, or all, to get on
constexpr double linger_s = 1;                   // that a peer has to close its side, once it was told

/// Interface of a protocol's session to its calls.
class StreamControl {
public:
    /// Starts a call's response. If it has a body, that is read with Call::read.
    virtual void respond(Call& call, HeaderFields headers, bool has_body) = 0;

    /// Ends a response after its body.
    virtual void end(const Call& call, HeaderFields trailers) = 0;

    /// Asks for a call's body again, which had no more to read before.
    virtual void resume(const Call& call) = 0;

    /// Lets a call's caller send this many more bytes.
    virtual void consume(const Call& call, std::size_t bytes) = 0;

    /// Ends a call for which nothing more is sent. If its connection ends with it, that is for `why`.
    virtual void reset(const Call& call, EventKind why) REQUIRES(the_lock) = 0;

protected:
    ~StreamControl() = default;
};

/// One connection as its calls see it: its network, its key's holder, its budgets and deadlines.
class Peer {
public:
    Peer(Shared& shared, std::uint64_t id, Network& network, PeerAddress peer_address = {}) REQUIRES(the_lock);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    Shared& shared;
    const std::uint64_t id;
    Network& network;  // that it is in
    const PeerAddress peer_address;

    Budget slots, held,
        unread;  // of what its network shares, its part; the latter with what is being made, and what its socket hasn't taken
    Account& account;  // of calls that come without a key
    Budget messages;  // of its calls, that are not answered
    Budget requests;  // of the application, that are open
    Overhead overhead;
    KeyDigest key_digest;
    DueTime due;
    std::size_t refused = 0;  // calls, for want of room or of a key's share, of callers who can wait
    double used_at;  // time at which a call last began, or a message came or an answer went
    double idle_since;
    EventKind end = EventKind::left;  // of its connection
    bool owes = false;  // of what was read of responses, some is of answers that are owed

    /// Returns for how many seconds a peer may read nothing of its answers, or have no call.
    double stall_s() const REQUIRES(the_lock) { return shared.stall_s(peer_address.is_http); }
    double idle_s() const {
        return peer_address.is_http ? shared.settings.limits.http_idle_s : shared.settings.limits.idle_s;
    }

    /// Schedules sending of what is ready, which another connection's thread may have made ready. Takes no memory, and
    /// never fails.
    void list() REQUIRES(the_lock);
    void unlist() REQUIRES(the_lock);
    bool is_listed() const REQUIRES(the_lock) { return ticket_.empty(); }

    /// Notes what was decided about its connection.
    void note(EventKind what) REQUIRES(the_lock) {
        shared.events.note(what, network.prefix, id, peer_address.listener);
    }

    /// Says why its connection ends. What is said first stays; where nothing is, its caller left.
    void ends_for(EventKind why) REQUIRES(the_lock) {
        if (end == EventKind::left) end = why;
    }

    /// Begins a call that arrived by `streams`.
    Call& begin(StreamControl& streams, std::int32_t stream) REQUIRES(the_lock);
    bool has(std::int32_t stream) const REQUIRES(the_lock) { return calls_.contains(stream); }

    /// Returns whether there is such a call, and it has not ended.
    bool wants_data(std::int32_t stream) const REQUIRES(the_lock) {
        const auto found = calls_.find(stream);
        return found != calls_.end() && !found->second->has_ended();
    }
    bool is_idle() const REQUIRES(the_lock) { return calls_.empty(); }

    /// Forgets a call whose stream is closed, or all calls if the connection is.
    void forget(Call& call) REQUIRES(the_lock);
    void forget_all() REQUIRES(the_lock);

    /// Refuses the latest call of a network that holds a slot and was not taken; returns false if there is none.
    bool give_way(const Network& of) REQUIRES(the_lock);

    /// Returns how many bytes of answers a network has left unread on this connection.
    std::size_t unread_of(const Network& of) const REQUIRES(the_lock);

    /// Ends calls of a network whose answers aren't read.
    void reset_unread(const Network& of) REQUIRES(the_lock);

    /// Notes that `bytes` of the current read or write belong to an account.
    void touch(Account& of, std::size_t bytes) REQUIRES(the_lock) { touched_.emplace_back(&of, bytes); }

    /// Charges the seconds of a read or write to the accounts that it was for, at about this price a byte.
    void charge(double seconds, std::size_t bytes, Price& price) REQUIRES(the_lock);

    /// Charges what a write usually takes to the accounts that it is for. They may be gone once it is known what it took.
    void charge_ahead(std::size_t bytes, const Price& price) REQUIRES(the_lock);

    /// Notes what a write took that was charged ahead.
    static void took(double seconds, std::size_t bytes, Price& price) { price.note(units(bytes), seconds); }

    /// Refuses the call that holds the most bytes.
    void shed() REQUIRES(the_lock);

    /// Refuses all calls, because another connection takes this one's place.
    void refuse_all() REQUIRES(the_lock);

    /// Ends calls with incomplete requests, and each stream after the messages that were read are answered.
    void drain() REQUIRES(the_lock);

    /// Ends calls that have made no progress for too long.
    void end_stalled_calls(double time) REQUIRES(the_lock);

private:
    /// Returns what a read or write costs, in bytes: each of them counts for some besides.
    static double units(std::size_t bytes) { return double(bytes + 256); }
    void share_out(double seconds) REQUIRES(the_lock);

    std::unordered_map<std::int32_t, std::unique_ptr<Call>> calls_;
    std::vector<std::pair<Account*, std::size_t>> touched_;
    std::list<Peer*> ticket_{this};  // stands there, or among those of which something is to be sent
    const std::list<Peer*>::iterator at_ = ticket_.begin();
};

}  // namespace transport
