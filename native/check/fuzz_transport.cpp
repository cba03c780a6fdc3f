// libFuzzer against the transport: what two peers send, with keys and without, each to a shard of its own, and what Python does
// meanwhile. Nothing may be left of a connection that is over, in its shard or in what both share.
#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../transport/codec_embed.hpp"
#include "../transport/connection.hpp"
#include "../transport/grpc_call.hpp"
#include "fuzz_parse.hpp"
#include "fuzz_peer.hpp"

namespace {

using namespace transport;
using fuzz::frame, fuzz::frames, fuzz::headers, fuzz::Input, fuzz::message, fuzz::parse, fuzz::preface;

std::string digest_of(std::string_view key) {
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

TransportSettings settings() {
    TransportSettings told = fuzz::settings();
    told.limits.max_concurrent_requests = 3;
    told.limits.max_message_bytes = 1000;
    told.limits.window_messages = told.limits.window_sentences = 3;
    told.limits.window_bytes = 500;
    told.limits.min_ping_s = 0;
    told.limits.unread_total_bytes = 2500;
    told.limits.network_unread_bytes = 2000;
    told.limits.max_connections = 1;  // so few may watch
    told.limits.transport_shards = 2;
    told.methods = {{"/t/Unary", false, true}, {"/t/Row", true, true}, {"/t/Probe", false, false}};
    told.headers = {"grpc-encoding"};
    told.health_services = {"", "t"};
    return told;
}

/// Client that is connected, and reconnects when its connection ends.
struct Attacker {
    explicit Attacker(Shared& of) : shared(of) {}

    Shared& shared;
    int socket = -1;
    std::uint32_t next = 0;  // stream
    std::unique_ptr<Connection> connection;
    Outgoing outgoing;  // while it is written

    ~Attacker() { leave(); }

    void connect(std::uint64_t id, const std::string& address) {
        std::array<int, 2> sockets;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) != 0) abort();
        socket = sockets[1];
        next = std::uint32_t(-1);
        connection = std::make_unique<Connection>(shared, sockets[0], id, shared.network(address), nullptr);
    }

    void leave() {
        connection.reset();
        if (socket >= 0) close(std::exchange(socket, -1));
    }

    void read() {
        std::array<char, 4096> room;
        while (::read(socket, room.data(), room.size()) > 0) {
        }
    }
};

/// Two clients, each of a shard, and the messages that Python has taken from them.
class Fuzzer {
public:
    Fuzzer(bool asks_for_keys, bool is_apart) : is_apart_(is_apart) {
        if (asks_for_keys) set_keys({{digest_of("one"), nullptr}, {digest_of("two"), nullptr}});
        const NamedModels models({{{""}, "", ""}});
        for (Shared* shared : shards_) {
            shared->lines.set_small(0, std::make_shared<EmbedCodec>(models, Status{}), 32, 3, 9, 64);
            shared->lines.set_small(1, std::make_shared<EmbedStreamCodec>(models), 32, 3, 9, 64);
            shared->in_others = [this, shared](const Shared::Act& act) { return visit(*shared, act); };
            shared->close = [this](Peer& peer) { of(peer.id).leave(); };
        }
    }

    ~Fuzzer() {
        for (Attacker& peer : peers_) peer.leave();
        std::size_t left = 0;
        for (const Shared* shared : shards_) {
            for (const auto& [address, network] : shared->networks)
                left += network.connections + network.held.used() + network.receiving.size() + network.slots.used() +
                        network.unread.used() + network.parked.size() + network.all->watches +
                        network.all->connections[false];
            const Lines& lines = shared->lines;
            left += lines.size() + (lines.metered.work() + lines.small.work() > 0) + shared->outstanding.size() +
                    shared->reading.size() + shared->deadlines.size() + shared->watchers.size() + shared->open.used() +
                    shared->owed.used() + shared->held.used() + shared->unread.used() + shared->making.used() +
                    shared->peers.size() + shared->to_send.size() + all_->standings[shared->index].connections;
        }
        left += all_->slots.used() + all_->requests.used() + all_->held.used() + all_->making.used() +
                all_->unread.used() + all_->connections[false] + all_->watchers;
        if (left > 0) abort();
    }

    void act(Input& input) {
        const std::uint8_t what = input.byte();
        peer_ = &peers_[what / 12 % peers_.size()];
        if (!peer_->connection) {
            ++last_;
            peer_->connect(last_, last_ % 3 ? "127.0.0.1" : "127.0.0.2");
            tell(std::string(preface) + frame(4, 0, 0, ""));
            if (!peer_->connection) return;
        }
        go_on(what % 12, input);
        for (Shared* shared : shards_) shared->publish();
    }

private:
    void go_on(std::uint8_t what, Input& input) {
        switch (what) {
            case 0:
            case 1: return tell(headers(input, peer_->next += 2));
            case 2:
            case 3: return tell(message(input, peer_->next));
            case 4:
                return tell(frame(frames[input.byte() % frames.size()], input.byte(), input.byte() % 16, input.some()));
            case 5: return tell(input.some());
            case 6:
            case 7: return take_messages(input.byte() % 4);
            case 8: return answer(input);
            case 9: return look(input.byte());
            case 10: return write();
            default: return rarely(input.byte());
        }
    }

    void set_keys(Keys keys) {
        for (Shared* shared : shards_) shared->keys = std::make_shared<const Keys>(keys);
    }

    Attacker& of(std::uint64_t id) {
        const bool is_second = peers_[1].connection && peers_[1].connection->id() == id;
        return peers_[is_second];
    }

    /// Acts in the other shard, as Transport::visit does.
    bool visit(const Shared& from, const Shared::Act& act) {
        if (is_visiting_) return false;
        is_visiting_ = true;
        Shared& there = *shards_[1 - from.index];
        const bool is_done = act(there);
        send_listed(there, false);
        is_visiting_ = false;
        return is_done;
    }

    /// Has the transport read `bytes`, the first of them while its lock is free if that is so here.
    void tell(std::string_view bytes) {
        if (::send(peer_->socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) peer_->read();
        std::array<std::uint8_t, 64> room;
        Incoming incoming;
        if (is_apart_) peer_->connection->begin_reading(incoming, room);
        incoming.read();
        const bool goes_on = peer_->connection->receive(now() + 1, incoming);
        if (goes_on) peer_->shared.shed();
        settle(goes_on);
    }

    /// Sends everything that is ready, to whomever: by parts of which each is written later, if that is so here.
    void settle(bool goes_on = true) {
        if (!goes_on) peer_->leave();
        for (Shared* shared : shards_) {
            send_listed(*shared, is_apart_);
            shared->shed_unread();
        }
    }

    void send_listed(Shared& shared, bool is_apart) {
        for (std::size_t left = shared.to_send.size(); left > 0 && !shared.to_send.empty(); --left) {
            Attacker& to = of(shared.to_send.front()->id);
            if (to.connection->is_being_written())
                shared.to_send.splice(shared.to_send.end(), shared.to_send, shared.to_send.begin());
            else if (is_apart && to.connection->make_ready(to.outgoing)) continue;
            else if (!to.connection->send()) to.leave();
        }
        for (auto& [address, network] : shared.networks)
            if (!network.parked.empty()) shared.unpark(network);
    }

    /// Writes what was made ready, and reads it.
    void write() {
        for (Attacker& peer : peers_) {
            if (!peer.connection || !peer.connection->is_being_written()) continue;
            peer.outgoing.write();
            if (!peer.connection->wrote(peer.outgoing)) peer.leave();
        }
        peer_->read();
        settle();
    }

    void take_messages(std::size_t most) {
        for (Shared* shared : shards_) {
            for (Line* line : {&shared->lines.unmetered, &shared->lines.small, &shared->lines.metered})
                for (std::size_t count = 0; count < most; ++count)
                    if (Message* const message = line->first()) take(*shared, *message);
            shared->outstanding.hand_over_gone();
            shared->ended.hand_over();
        }
        settle();
    }

    void take(Shared& shared, Message& message) {
        Call& call = *message.call;
        if (message.parked) return;
        if (message.job) return call.take_back(message);  // it is computed
        if ((message.id >> 8) % 8 == 7) return shared.park(message);  // as if there were no room for its answer
        message.line->take(message);
        shared.outstanding.add(message);
        taken_.push_back(message.id);
        call.handed_over(message);
        const auto inflated = message.is_compressed ? gunzip(message.content, message.size) : std::nullopt;
        if (inflated) call.count_sentences(message, *inflated);
        if (!message.is_compressed || inflated) return;
        shared.outstanding.remove(message.id);
        call.refuse_taken(shared.settings.status(Refusal::malformed), Refusal::malformed);
    }

    Shared& shard_of(std::uint64_t id) { return *shards_[Shared::shard_of(id)]; }

    void answer(Input& input) {
        std::erase_if(taken_, [&](std::uint64_t id) { return !shard_of(id).outstanding.find(id); });
        if (taken_.empty()) return;
        const std::uint64_t id = taken_[input.byte() % taken_.size()];
        Message& message = *shard_of(id).outstanding.find(id);
        const std::uint8_t how = input.byte() % 4;
        if (how == 1 && !message.job) {
            submit(shard_of(id), message);
        } else if (how == 0) {
            message.call->fail(message, {3, "no\n\xff", "\x08"});
        } else {
            shard_of(id).outstanding.remove(id);
            message.call->answer(message, std::string(input.byte() * 8u, 'x'), 0);
        }
        settle();
    }

    /// Has a sentence of a message computed before it is answered.
    void submit(Shared& shared, Message& message) {
        Submission submission{0, {}, never};
        const std::int32_t token = 1;
        submission.tokens.append(std::span(&token, 1));
        const auto job = std::make_shared<Job>(1, TakenMessage{.id = message.id}, std::move(submission), 2);
        message.call->submitted(message, shared.lines.small, job, job->bytes(2));
    }

    void look(std::uint8_t what) {
        const double time = now() + (what & 1 ? 0 : what);
        Shared& shared = peer_->shared;
        if (!shared.deadlines.empty() && what & 2) shared.deadlines.begin()->second->expire();
        shared.end_stalled(time);
        for (auto& [address, network] : shared.networks) network.forget_callers();
        shared.turns.rest();
        settle(peer_->connection->tick(time));
    }

    void rarely(std::uint8_t what) {
        for (Shared* shared : shards_) {
            shared->set_serving(what & 1, shared->settings.health_services);
            if (!(what & 2) || std::exchange(shared->is_draining, true)) continue;
            for (Peer* peer : shared->peers) peer->drain();
        }
        if (what & 4) peer_->connection->peer().give_way(peer_->connection->network());
        if (what & 8) peer_->connection->go_away();
        if (what & 16) shutdown(peer_->socket, SHUT_WR);
        if (what & 32 && peer_->connection->peer().held.used() > 0) peer_->connection->peer().shed();
        if (what & 64 && shards_[0]->keys) set_keys({{digest_of("one"), nullptr}});  // the other was taken back
        if (what & 128) return peer_->leave();
        settle();
    }

    const std::shared_ptr<Totals> all_ = std::make_shared<Totals>(settings());
    Shared one_{all_, 0}, other_{all_, 1};
    const std::array<Shared*, 2> shards_{&one_, &other_};
    std::vector<std::uint64_t> taken_;
    std::array<Attacker, 2> peers_{Attacker(one_), Attacker(other_)};
    Attacker* peer_ = nullptr;
    std::uint64_t last_ = 0;
    const bool is_apart_;  // sockets are read and written while the lock is free
    bool is_visiting_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{{reinterpret_cast<const char*>(data), size}};
    const std::uint8_t what = input.byte();
    if (what % 8 == 0) return parse(input.remaining), 0;
    Fuzzer fuzzer(what & 8, what & 16);
    while (!input.remaining.empty()) fuzzer.act(input);
    return 0;
}
