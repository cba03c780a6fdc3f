// libFuzzer against the transport: what two peers send, with keys and without, and what Python does meanwhile. Nothing may be left of a
// connection that is over.
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
    told.methods = {{"/t/Unary", false, true}, {"/t/Row", true, true}, {"/t/Probe", false, false}};
    told.headers = {"grpc-encoding"};
    told.health_services = {"", "t"};
    return told;
}

/// Client that is connected, and reconnects when its connection ends.
struct Attacker {
    int socket = -1;
    std::uint32_t next = 0;  // stream
    std::unique_ptr<Connection> connection;

    ~Attacker() { leave(); }

    void connect(Shared& shared, std::uint64_t id) {
        std::array<int, 2> sockets;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) != 0) abort();
        socket = sockets[1];
        next = std::uint32_t(-1);
        Network& network = shared.network(id % 2 ? "127.0.0.1" : "127.0.0.2");
        connection = std::make_unique<Connection>(shared, sockets[0], id, network, nullptr);
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

/// Two clients, and the messages that Python has taken from them.
class Fuzzer {
public:
    explicit Fuzzer(bool asks_for_keys) : shared_(settings()) {
        if (asks_for_keys) shared_.keys = Keys{{digest_of("one"), nullptr}, {digest_of("two"), nullptr}};
        const NamedModels models({{{""}, "", ""}});
        shared_.lines.set_small(0, std::make_shared<EmbedCodec>(models, Status{}), 32, 3, 9, 64);
        shared_.lines.set_small(1, std::make_shared<EmbedStreamCodec>(models), 32, 3, 9, 64);
    }

    ~Fuzzer() {
        for (Attacker& peer : peers_) peer.leave();
        std::size_t of_networks = 0;
        for (const auto& [address, network] : shared_.networks)
            of_networks += network.open() + network.watches + network.held.used() + network.receiving.size() +
                           network.slots.used() + network.unread.used() + network.parked.size();
        const Lines& lines = shared_.lines;
        const bool is_empty = lines.size() + (lines.metered.work() + lines.small.work() > 0) +
                                  shared_.outstanding.size() + shared_.reading.size() + shared_.deadlines.size() +
                                  shared_.watchers.size() + shared_.slots.used() + shared_.open.used() +
                                  shared_.owed.used() + shared_.held.used() + shared_.unread.used() +
                                  shared_.peers.size() + of_networks ==
                              0;
        if (!is_empty) abort();
    }

    void act(Input& input) {
        const std::uint8_t what = input.byte();
        peer_ = &peers_[what / 12 % peers_.size()];
        if (!peer_->connection) {
            peer_->connect(shared_, ++last_);
            tell(std::string(preface) + frame(4, 0, 0, ""));
            if (!peer_->connection) return;
        }
        switch (what % 12) {
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
            case 10: return peer_->read();
            default: return rarely(input.byte());
        }
    }

private:
    void tell(std::string_view bytes) {
        if (::send(peer_->socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) peer_->read();
        const bool goes_on = peer_->connection->receive(now() + 1);
        shared_.shed();
        settle(goes_on);
    }

    /// Sends everything that is ready to the acting client, and to any other that is affected.
    void settle(bool goes_on = true) {
        if (!goes_on || !peer_->connection->send()) peer_->leave();
        for (std::size_t left = shared_.to_send.size(); left > 0 && !shared_.to_send.empty(); --left) {
            const std::uint64_t id = shared_.to_send.front()->id;
            for (Attacker& peer : peers_)
                if (peer.connection && peer.connection->id() == id && !peer.connection->send()) peer.leave();
        }
    }

    void take_messages(std::size_t most) {
        for (Line* line : {&shared_.lines.unmetered, &shared_.lines.small, &shared_.lines.metered}) {
            for (std::size_t count = 0; count < most; ++count) {
                Message* const message = line->take_message();
                if (!message) break;
                Call& call = *message->call;
                shared_.outstanding.add(*message);
                taken_.push_back(message->id);
                call.handed_over(*message);
                const auto inflated = message->is_compressed ? gunzip(message->content, message->size) : std::nullopt;
                if (inflated) call.count_sentences(*message, *inflated);
                if (!message->is_compressed || inflated) continue;
                shared_.outstanding.remove(message->id);
                call.refuse_taken(shared_.settings.status(Refusal::malformed), Refusal::malformed);
            }
        }
        shared_.outstanding.hand_over_gone();
        shared_.ended.hand_over();
        settle();
    }

    void answer(Input& input) {
        std::erase_if(taken_, [&](std::uint64_t id) { return !shared_.outstanding.find(id); });
        if (taken_.empty()) return;
        const std::uint64_t id = taken_[input.byte() % taken_.size()];
        Message& message = *shared_.outstanding.find(id);
        if (input.byte() % 4 == 0) {
            message.call->fail(message, {3, "no\n\xff", "\x08"});
        } else {
            shared_.outstanding.remove(id);
            message.call->answer(message, std::string(input.byte() * 8u, 'x'), 0);
        }
        settle();
    }

    void look(std::uint8_t what) {
        const double time = now() + (what & 1 ? 0 : what);
        if (!shared_.deadlines.empty() && what & 2) shared_.deadlines.begin()->second->expire();
        settle(peer_->connection->tick(time));
    }

    void rarely(std::uint8_t what) {
        shared_.set_serving(what & 1, shared_.settings.health_services);
        if (what & 2 && !shared_.is_draining) {
            shared_.is_draining = true;
            for (Peer* peer : shared_.peers) peer->drain();
        }
        if (what & 4) peer_->connection->peer().give_way(peer_->connection->network());
        if (what & 8) peer_->connection->go_away();
        if (what & 16) shutdown(peer_->socket, SHUT_WR);
        if (what & 32 && peer_->connection->peer().held.used() > 0) peer_->connection->peer().shed();
        if (what & 64 && shared_.keys) shared_.keys->erase(digest_of("two"));  // it was taken back
        if (what & 128) return peer_->leave();
        settle();
    }

    Shared shared_;
    std::vector<std::uint64_t> taken_;
    std::array<Attacker, 2> peers_;
    Attacker* peer_ = nullptr;
    std::uint64_t last_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{{reinterpret_cast<const char*>(data), size}};
    const std::uint8_t what = input.byte();
    if (what % 8 == 0) return parse(input.remaining), 0;
    Fuzzer fuzzer(what & 8);
    while (!input.remaining.empty()) fuzzer.act(input);
    return 0;
}
