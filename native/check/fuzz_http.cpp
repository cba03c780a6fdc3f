// libFuzzer against HTTP: what a peer says to HTTP's listeners, and what workers and the application do meanwhile. However
// its bytes are split they are the same requests, and nothing may be left of a connection that is over.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../transport/connection.hpp"
#include "../transport/http_call.hpp"
#include "fuzz_peer.hpp"

namespace {

using namespace transport;
using fuzz::Input;

TransportSettings settings() {
    TransportSettings told = fuzz::settings();
    told.limits.max_concurrent_requests = 2;
    told.limits.max_message_bytes = 500;
    told.limits.max_inflated_bytes = 300;
    told.limits.requests = 2;
    told.limits.connection_requests = 2;
    told.methods = {{"/e", false, true, true}, {"/h", false, false, true}};
    told.hosts = Hosts{{"a"}, true};
    return told;
}

/// One connection, and everything that other threads do with its requests.
class Exchange {
public:
    explicit Exchange(bool is_extra) : shared_(settings()) {
        std::array<int, 2> sockets;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) != 0) abort();
        peer_ = sockets[1];
        PeerAddress peer_address{0, true, false, is_extra, "127.0.0.1", 1};
        connection_ = std::make_unique<Connection>(shared_, sockets[0], 1, shared_.network("a"), nullptr,
                                                   std::move(peer_address));
    }

    ~Exchange() {
        connection_.reset();
        close(peer_);
        const Network& network = shared_.network("a");
        const Lines& lines = shared_.lines;
        const std::size_t left = lines.size() + lines.application.size() + (lines.application.work() > 0) +
                                 shared_.outstanding.size() + shared_.reading.size() + shared_.deadlines.size() +
                                 shared_.all->slots.used() + shared_.open.used() + shared_.owed.used() +
                                 shared_.held.used() + shared_.unread.used() + shared_.requests.used() +
                                 shared_.peers.size() + network.connections + network.slots.used() +
                                 network.held.used() + network.receiving.size();
        if (left > 0) abort();
    }

    bool is_open() const { return bool(connection_); }

    void tell(std::string_view bytes) {
        if (!connection_) return;
        while (!bytes.empty()) {
            const ssize_t put = ::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (put < 0) break;
            bytes.remove_prefix(std::size_t(put));
        }
        const bool goes_on = connection_->receive(now() + 1);
        if (goes_on) shared_.shed();
        settle(goes_on);
    }

    /// Takes requests as the application does, records them, and answers them if `answers`.
    void apply(bool answers) {
        while (Message* const message = shared_.lines.application.take_message()) {
            auto& call = static_cast<HttpCall&>(*message->call);
            shared_.outstanding.add(*message);
            seen.push_back(call.head.verb + " " + call.head.target + " " + call.head.version);
            for (const auto& [name, value] : call.head.fields())
                seen.push_back(std::string(name) + ": " + std::string(value));
            seen.push_back(message->content + (call.is_whole() ? "." : "?"));
            call.handed_over(*message);
            if (!answers) {
                taken_.push_back(message->id);
                continue;
            }
            shared_.outstanding.remove(message->id);
            call.respond({200, {{"x-y", "z"}}, std::string(seen.size() % 3, 'x')});
            settle();
        }
        shared_.outstanding.hand_over_gone(true);
    }

    void act(Input& input) {
        switch (const std::uint8_t what = input.byte(); what % 10) {
            case 0: return apply(true);
            case 1: return apply(false);
            case 2: return answer(what);
            case 3: return look(input.byte());
            case 4: return read();
            case 5: return rarely(what);
            default: return tell(input.some());
        }
    }

    std::vector<std::string> seen;

private:
    void settle(bool goes_on = true) {
        shared_.ended.hand_over();
        if (connection_ && (!goes_on || !connection_->send())) connection_.reset();
        read();
    }

    void read() {
        std::array<char, 4096> room;
        while (::read(peer_, room.data(), room.size()) > 0) {
        }
    }

    void answer(std::uint8_t what) {
        for (const std::uint64_t id : std::exchange(taken_, {})) {
            Message* const message = shared_.outstanding.remove(id);
            if (!message) continue;
            if (what & 64) message->call->fail(*message, {13, "no\n\"\xff", ""});
            else if (what & 128) message->call->pass_on(*message, "again");
            else message->call->answer(*message, "{}", what & 32);
        }
        settle();
    }

    void look(std::uint8_t what) {
        if (!shared_.deadlines.empty() && what & 1) shared_.deadlines.begin()->second->expire();
        const double time = now() + (what & 2 ? what : 0);
        shared_.end_stalled(time);
        if (connection_) settle(connection_->tick(time));
    }

    void rarely(std::uint8_t what) {
        if (!connection_) return;
        if (what & 16) shutdown(peer_, SHUT_WR);
        if (what & 32) connection_->hang_up();
        if (what & 64 && !std::exchange(shared_.is_draining, true)) connection_->peer().drain();
        if (what & 128) connection_->go_away();
        if (what & 8) connection_->peer().give_way(connection_->network());
        settle();
    }

    Shared shared_;
    int peer_ = -1;
    std::unique_ptr<Connection> connection_;
    std::vector<std::uint64_t> taken_;
};

/// Returns the requests in `bytes`, which arrive in pieces of size `piece`; each is answered before the next is read.
std::vector<std::string> requests_of(std::string_view bytes, std::size_t piece) {
    Exchange session(false);
    while (!bytes.empty() && session.is_open()) {
        session.tell(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(bytes.size(), piece));
        session.apply(true);
    }
    for (int rest = 0; rest < 8; ++rest) {  // what is read in vain is read in pieces
        session.apply(true);
        session.tell({});
    }
    session.apply(true);
    return session.seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{{reinterpret_cast<const char*>(data), size}};
    const std::uint8_t what = input.byte();
    if (what & 1) {
        const std::string bytes(input.remaining);
        const bool is_http2 = bytes.starts_with("PRI");
        if (!is_http2 && requests_of(bytes, bytes.size() + 1) != requests_of(bytes, 1 + what / 2)) abort();
        return 0;
    }
    Exchange session(what & 2);
    while (!input.remaining.empty()) session.act(input);
    return 0;
}
