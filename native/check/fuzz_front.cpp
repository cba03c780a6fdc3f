// libFuzzer against the front: what a peer sends, and what Python does meanwhile. Nothing may be left of a connection that is over.
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

#include "../front/connection.hpp"
#include "../front/embed.hpp"
#include "../front/grpc.hpp"
#include "../wordpiece/utf8.hpp"
#include "../wordpiece/wordpiece.hpp"

namespace {

using namespace front;

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::array<std::string_view, 5> paths{"/t/Unary", "/t/Row", "/t/Probe", "/grpc.health.v1.Health/Check",
                                                "/grpc.health.v1.Health/Watch"};
// DATA HEADERS RST_STREAM SETTINGS PING GOAWAY WINDOW_UPDATE CONTINUATION
constexpr std::array<std::uint8_t, 8> frames{0, 1, 3, 4, 6, 7, 8, 9};

/// What of the input is still to be used.
struct Input {
    std::string_view left;

    std::uint8_t byte() {
        if (left.empty()) return 0;
        const auto value = std::uint8_t(left.front());
        left.remove_prefix(1);
        return value;
    }
    std::string_view some() {
        const std::string_view found = left.substr(0, byte() % 64);
        left.remove_prefix(found.size());
        return found;
    }
};

std::string frame(std::uint8_t kind, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    std::string out{0, char(payload.size() >> 8), char(payload.size()), char(kind), char(flags)};
    for (int shift = 24; shift >= 0; shift -= 8) out += char(stream >> shift);
    return out.append(payload);
}

/// A header that HPACK adds to no table.
std::string literal(std::string_view name, std::string_view value) {
    return std::string{0, char(name.size())}.append(name) + std::string{char(value.size())}.append(value);
}

std::string headers(std::string_view path, std::uint8_t what) {
    std::string block = "\x83\x86" + literal(":path", path) + literal("content-type", "application/grpc");
    if (what & 1) block += literal("grpc-timeout", what & 2 ? "1n" : what & 128 ? "1 H" : "1H");
    if (what & 4) block += literal("grpc-encoding", what & 8 ? "gzip" : "snappy");
    if (what & 16) block += literal("authorization", "Bearer key");
    return block;
}

State state_of() {
    State state;
    state.limits.max_calls = 3;
    state.limits.max_streams = 8;
    state.limits.max_message_bytes = 1000;
    state.limits.max_header_bytes = 300;
    state.limits.window_messages = state.limits.window_sentences = 3;
    state.limits.window_bytes = 500;
    state.limits.held_bytes = 2000;
    state.limits.unread_bytes = 2000;
    state.limits.min_ping_s = 0;
    state.methods = {{"/t/Unary", false, true}, {"/t/Row", true, true}, {"/t/Probe", false, false}};
    state.small_method = 0;
    state.small_bytes = 32;
    state.small_sentences = 3;
    state.headers = {"authorization"};
    state.health_services = {"", "t"};
    for (const char* kind : {"full", "late", "expired", "draining", "slow", "empty", "large", "inflated", "headers", "timeout", "unknown",
                             "malformed", "compressed", "unread"})
        state.statuses[kind] = {8, kind, "\x08\x03"};
    return state;
}

/// One connection, its peer, and what Python has of it.
class Session {
public:
    Session() {
        std::array<int, 2> sockets;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) != 0) abort();
        peer_ = sockets[1];
        connection_ = std::make_unique<Connection>(state_, sockets[0], 1, "127.0.0.1", nullptr);
        tell(std::string(preface) + frame(4, 0, 0, ""));
    }

    ~Session() {
        connection_.reset();
        close(peer_);
        const bool is_empty = state_.waiting() + state_.taken.size() + state_.reading.size() + state_.deadlines.size() +
                                  state_.watchers.size() + state_.places + state_.calls + state_.checks + state_.held_bytes + state_.unread_bytes +
                                  state_.line.bytes() + state_.small.bytes() + state_.connections.size() == 0;
        if (!is_empty) abort();
    }

    bool goes_on() const { return connection_ != nullptr; }

    void act(Input& input) {
        switch (input.byte() % 12) {
            case 0: case 1: return begin(input);
            case 2: case 3: return send_message(input);
            case 4: return tell(frame(frames[input.byte() % frames.size()], input.byte(), input.byte() % 16, input.some()));
            case 5: return tell(input.some());
            case 6: case 7: return take(input.byte() % 4);
            case 8: return answer(input);
            case 9: return look(input.byte());
            case 10: return read();
            default: return rarely(input.byte());
        }
    }

private:
    void begin(Input& input) {
        next_ += 2;
        const std::uint8_t what = input.byte();
        tell(frame(1, what & 32 ? 5 : 4, next_, headers(what & 64 ? std::string_view("/t/No") : paths[input.byte() % paths.size()], what)));
    }

    void send_message(Input& input) {
        std::string framed;
        append_message(framed, input.some());
        const std::uint8_t what = input.byte();
        if (what & 2) framed[0] = 1;
        if (what & 4) framed[4] = char(input.byte());
        tell(frame(0, what & 1, std::max<std::uint32_t>(1, next_ - 2 * (what >> 3 & 3)), framed));
    }

    void tell(std::string_view bytes) {
        if (::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) read();
        keep(connection_->receive(now() + 1) && connection_->send());
    }

    void keep(bool goes_on) {
        state_.shed();
        state_.listed.clear();
        if (!goes_on) connection_.reset();
    }

    void take(std::size_t most) {
        for (Line* line : {&state_.probes, &state_.small, &state_.line}) {
            for (std::size_t count = 0; count < most; ++count) {
                Message* const message = line->take();
                if (!message) break;
                state_.taken.emplace(message->id, message);
                connection_->taken(*message);
                const auto inflated = message->is_compressed ? gunzip(message->content, message->size) : std::nullopt;
                if (inflated) connection_->count_sentences(*message, *inflated);
                if (message->is_compressed && !inflated) state_.taken.erase(message->id), connection_->refuse_taken(*message);
            }
        }
        state_.gone.clear();
        state_.ended.clear();
    }

    void answer(Input& input) {
        if (state_.taken.empty()) return;
        auto found = state_.taken.begin();
        for (std::uint8_t skip = input.byte() % state_.taken.size(); skip > 0; --skip) ++found;
        Message& message = *found->second;
        if (input.byte() % 4 == 0) {
            connection_->fail(message, {3, "no\n\xff", "\x08"});
        } else {
            state_.taken.erase(found);
            connection_->answer(message, std::string(input.byte() * 8u, 'x'));
        }
        keep(connection_->send());
    }

    void look(std::uint8_t what) {
        const double time = now() + (what & 1 ? 0 : what);
        if (!state_.deadlines.empty() && what & 2) {
            Call& call = *state_.deadlines.begin()->second;
            state_.deadlines.erase(*std::exchange(call.due, std::nullopt));
            connection_->end(call, state_.status("expired"), "");
        }
        keep(connection_->tick(time) && connection_->send());
    }

    void read() {
        std::array<char, 4096> room;
        while (::read(peer_, room.data(), room.size()) > 0) {}
    }

    void rarely(std::uint8_t what) {
        state_.is_serving = what & 1;
        for (Call* watcher : state_.watchers) connection_->tell_watcher(*watcher);
        if (what & 2 && !state_.is_draining) state_.is_draining = true, connection_->drain();
        if (what & 4) connection_->give_way();
        if (what & 8) connection_->go_away();
        if (what & 16) shutdown(peer_, SHUT_WR);
        if (what & 32 && state_.held_bytes > 0) connection_->shed();
        keep(connection_->send());
    }

    State state_ = state_of();
    int peer_ = -1;
    std::uint32_t next_ = std::uint32_t(-1);
    std::unique_ptr<Connection> connection_;
};

/// What the fast path reads: a request, a sentence's UTF-8, its words.
void read_sentences(std::string_view text) {
    static const wordpiece::WordPiece tokenizer({{{"a", 1}, {"##a", 2}, {"aa", 3}, {"?", 0}, {"\u00e9", 4}},
                                                 {{U'a', "a"}, {U' ', " "}, {U'A', "aa"}, {U'\u00e9', "\u00e9"}, {U'\U0001f600', ""}},
                                                 {U"[A]"}, "##", "?", 8});
    for (const std::string_view sentence : front::sentences_of(text, 8))
        if (sentence.data() < text.data() || sentence.data() + sentence.size() > text.data() + text.size()) abort();
    std::u32string points;
    if (!wordpiece::decode(text, points)) return;
    if (points.size() > text.size()) abort();
    std::vector<std::uint32_t> ids;
    if (tokenizer.encode(reinterpret_cast<const std::uint32_t*>(points.data()), points.size(), 16, ids))
        for (const std::uint32_t id : ids)
            if (id > 4) abort();
}

/// What stands in a message or a header is anybody's.
void parse(std::string_view text) {
    const auto seconds = timeout_of(text);
    if (seconds && !(*seconds >= 0)) abort();
    if (count_field_1(text, text.size()) > text.size()) abort();
    health_service(text);
    read_sentences(text);
    if (percent_encoded(text).size() < text.size() || base64(text).size() < text.size()) abort();
    if (const auto prefix = read_prefix(text); prefix && prefix->size > std::uint32_t(-1)) abort();
    const std::string_view head("\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
    const std::string zipped = std::string(head).append(text);
    for (const std::string_view bytes : {text, std::string_view(zipped)}) {
        const auto size = inflated_size(bytes);
        if (!size || *size > 1 << 20) continue;
        const auto inflated = gunzip(bytes, *size);
        if (inflated && inflated->size() != *size) abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{{reinterpret_cast<const char*>(data), size}};
    if (input.byte() % 8 == 0) return parse(input.left), 0;
    Session session;
    while (session.goes_on() && !input.left.empty()) session.act(input);
    return 0;
}
