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

#include "../transport/connection.hpp"
#include "fuzz_parse.hpp"
#include "fuzz_peer.hpp"

namespace {

using namespace transport;
using namespace fuzz;

std::string digest_of(std::string_view key) {
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

State state_of(bool asks_for_keys) {
    State state;
    if (asks_for_keys) state.keys = {digest_of("one"), digest_of("two")};
    state.limits.max_calls = 3;
    state.limits.max_streams = 8;
    state.limits.max_message_bytes = 1000;
    state.limits.max_header_bytes = 300;
    state.limits.window_messages = state.limits.window_sentences = 3;
    state.limits.window_bytes = 500;
    state.limits.held_bytes = 2000;
    state.limits.held_total_bytes = 3000;
    state.limits.unread_bytes = 2000;
    state.limits.min_ping_s = 0;
    state.methods = {{"/t/Unary", false, true}, {"/t/Row", true, true}, {"/t/Probe", false, false}};
    state.small_method = 0;
    state.small_bytes = 32;
    state.small_sentences = 3;
    state.headers = {"authorization"};
    state.health_services = {"", "t"};
    for (const char* kind : {"full", "late", "expired", "draining", "no_key", "unknown_key", "slow", "empty", "large", "inflated", "headers",
                             "timeout", "unknown", "malformed", "compressed", "unread"})
        state.statuses[kind] = {8, kind, "\x08\x03"};
    return state;
}

/// One who is connected, and connects anew once that is over.
struct Peer {
    int socket = -1;
    std::uint32_t next = 0;  // stream
    std::unique_ptr<Connection> connection;

    ~Peer() { leave(); }

    void connect(State& state, std::uint64_t id) {
        std::array<int, 2> sockets;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) != 0) abort();
        socket = sockets[1];
        next = std::uint32_t(-1);
        Network& network = state.networks[id % 2 ? "127.0.0.1" : "127.0.0.2"];
        connection = std::make_unique<Connection>(state, sockets[0], id, network, nullptr);
    }

    void leave() {
        connection.reset();
        if (socket >= 0) close(std::exchange(socket, -1));
    }

    void read() {
        std::array<char, 4096> room;
        while (::read(socket, room.data(), room.size()) > 0) {}
    }
};

/// Two peers, and what Python has of them.
class Session {
public:
    explicit Session(bool asks_for_keys) : state_(state_of(asks_for_keys)) {}

    ~Session() {
        for (Peer& peer : peers_) peer.leave();
        std::size_t of_networks = 0;
        for (const auto& [address, network] : state_.networks)
            of_networks += network.connections + network.watches + network.held_bytes + network.receiving.size();
        const bool is_empty = state_.waiting() + state_.taken.size() + state_.reading.size() + state_.deadlines.size() +
                                  state_.watchers.size() + state_.slots + state_.calls + state_.owed + state_.held_bytes + state_.unread_bytes +
                                  state_.line.bytes() + state_.small.bytes() + state_.connections.size() + of_networks == 0;
        if (!is_empty) abort();
    }

    void act(Input& input) {
        const std::uint8_t what = input.byte();
        peer_ = &peers_[what / 12 % peers_.size()];
        if (!peer_->connection) {
            peer_->connect(state_, ++last_);
            tell(std::string(preface) + frame(4, 0, 0, ""));
            if (!peer_->connection) return;
        }
        switch (what % 12) {
            case 0: case 1: return tell(headers(input, peer_->next += 2));
            case 2: case 3: return tell(message(input, peer_->next));
            case 4: return tell(frame(frames[input.byte() % frames.size()], input.byte(), input.byte() % 16, input.some()));
            case 5: return tell(input.some());
            case 6: case 7: return take_messages(input.byte() % 4);
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
        state_.shed();
        settle(goes_on);
    }

    /// Sends what has become ready to the peer that acts, and to any other that is concerned.
    void settle(bool goes_on = true) {
        if (!goes_on || !peer_->connection->send()) peer_->leave();
        for (const std::uint64_t id : std::exchange(state_.listed, {}))
            for (Peer& peer : peers_)
                if (peer.connection && peer.connection->id == id && !peer.connection->send()) peer.leave();
    }

    void take_messages(std::size_t most) {
        for (Line* line : {&state_.unmetered, &state_.small, &state_.line}) {
            for (std::size_t count = 0; count < most; ++count) {
                Message* const message = line->take_message();
                if (!message) break;
                Connection& connection = *message->call->connection;
                state_.taken.emplace(message->id, message);
                connection.taken(*message);
                const auto inflated = message->is_compressed ? gunzip(message->content, message->size) : std::nullopt;
                if (inflated) connection.count_sentences(*message, *inflated);
                if (message->is_compressed && !inflated) state_.taken.erase(message->id), connection.refuse_taken(*message);
            }
        }
        state_.gone.clear();
        state_.ended.clear();
        settle();
    }

    void answer(Input& input) {
        if (state_.taken.empty()) return;
        auto found = state_.taken.begin();
        for (std::uint8_t skip = input.byte() % state_.taken.size(); skip > 0; --skip) ++found;
        Message& message = *found->second;
        Connection& connection = *message.call->connection;
        if (input.byte() % 4 == 0) {
            connection.fail(message, {3, "no\n\xff", "\x08"});
        } else {
            state_.taken.erase(found);
            connection.answer(message, std::string(input.byte() * 8u, 'x'));
        }
        settle();
    }

    void look(std::uint8_t what) {
        const double time = now() + (what & 1 ? 0 : what);
        if (!state_.deadlines.empty() && what & 2) {
            Call& call = *state_.deadlines.begin()->second;
            state_.deadlines.erase(*std::exchange(call.due, std::nullopt));
            call.connection->end(call, state_.status("expired"), "");
        }
        settle(peer_->connection->tick(time));
    }

    void rarely(std::uint8_t what) {
        state_.is_serving = what & 1;
        for (Call* watcher : state_.watchers) watcher->connection->tell_watcher(*watcher);
        if (what & 2 && !state_.is_draining) {
            state_.is_draining = true;
            for (Connection* connection : state_.connections) connection->drain();
        }
        if (what & 4) peer_->connection->give_way();
        if (what & 8) peer_->connection->go_away();
        if (what & 16) shutdown(peer_->socket, SHUT_WR);
        if (what & 32 && peer_->connection->held_bytes() > 0) peer_->connection->shed();
        if (what & 64 && state_.keys) state_.keys->erase(digest_of("two"));  // it was taken back
        if (what & 128) return peer_->leave();
        settle();
    }

    State state_;
    std::array<Peer, 2> peers_;
    Peer* peer_ = nullptr;
    std::uint64_t last_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{{reinterpret_cast<const char*>(data), size}};
    const std::uint8_t what = input.byte();
    if (what % 8 == 0) return parse(input.left), 0;
    Session session(what & 8);
    while (!input.left.empty()) session.act(input);
    return 0;
}
