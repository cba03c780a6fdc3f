// Makes each allocation fail in turn while a caller talks to a transport by gRPC, HTTP/1.1 or HTTP/2. The caller is
// answered all the same, or reset, or its connection ends; nobody waits in vain, nothing of the caller is left, and its
// neighbours are still served. The preset sanitize builds this program; `make sanitize` runs it.
//
// memory     prints how many allocations each conversation took; each of them failed alone, and with all after it
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/sha.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../transport/codec_embed.hpp"
#include "../transport/codec_openai.hpp"
#include "../transport/transport.hpp"
#include "fuzz_peer.hpp"

namespace {

using namespace transport;

// Who is exposed gets no memory once so many allocations have passed: for one, or for all that follow.
std::atomic<std::int64_t> passes{-1}, failures{0};
std::atomic<bool> fails_on{false};
thread_local bool is_exposed = true;  // the transport's own thread is always

bool memory_fails() {
    if (!is_exposed || passes < 0) return false;
    if (passes > 0) return --passes, false;
    if (!fails_on) passes = -1;
    ++failures;
    return true;
}

/// Has the thread's memory fail, or not, while it lasts.
class Exposed {
public:
    explicit Exposed(bool exposed) : before_(std::exchange(is_exposed, exposed)) {}
    ~Exposed() { is_exposed = before_; }
    Exposed(const Exposed&) = delete;
    Exposed& operator=(const Exposed&) = delete;

private:
    const bool before_;
};

/// Does what Python asks the transport for; where that fails, Python gets its MemoryError.
template <class Act>
void asked(const Act& act) {
    const Exposed exposed(true);
    try {
        act();
    } catch (const std::bad_alloc&) {
    }
}

bool has_failed = false;

void check(bool holds, const std::string& what) {
    if (holds) return;
    std::fprintf(stderr, "%s\n", what.c_str());
    has_failed = true;
}

int listening(std::uint16_t& port) {
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    check(bind(made, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(made, 64) == 0,
          "nothing can listen here");
    getsockname(made, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return made;
}

/// One who calls: all that they were sent is `got`.
class Caller {
public:
    explicit Caller(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        check(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "nobody listens");
    }
    ~Caller() { close(socket_); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    void tell(std::string_view bytes) const {
        [[maybe_unused]] const auto put = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }

    void read() {
        std::array<char, 4096> room;
        while (!is_over) {
            const ssize_t count = recv(socket_, room.data(), room.size(), MSG_DONTWAIT);
            if (count < 0 && errno == EAGAIN) return;
            is_over = count <= 0;
            if (count > 0) got.append(room.data(), std::size_t(count));
        }
    }

    bool has(std::string_view words) const { return got.find(words) != std::string::npos; }

    std::string got;
    bool is_over = false;

private:
    const int socket_;
};

Keys keys() {
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>("one"), 3, reinterpret_cast<unsigned char*>(digest.data()));
    return {{digest, nullptr}};
}

TransportSettings settings(std::size_t shards) {
    TransportSettings told = fuzz::settings();
    told.limits = Limits{};
    told.limits.transport_shards = shards;
    told.limits.max_message_bytes = 2000;
    told.methods = {{"/t/Unary", false, true}, {"/t/Row", true, true}, {"/t/Probe", false, false}};
    told.methods.insert(told.methods.end(), {{"/e", false, true, true}, {"/h", false, false, true}});
    told.headers = {"x-note"};
    told.health_services = {"", "t"};
    return told;
}

/// A transport that listens for gRPC and HTTP, and a stand-in for Python that takes its messages and requests and
/// answers them.
class Served {
public:
    static constexpr std::uint64_t path = 1;
    static constexpr std::size_t dimension = 2;

    explicit Served(std::size_t shards)
        : transport_(settings(shards), {{listening(grpc), false, false}, {listening(http), true, false}}) {
        const NamedModels models({{{""}, "\"m\"", "\"v\"", 4, {}}});
        transport_.set_small(0, std::make_shared<EmbedCodec>(models, Status{}), 32, 3, 9, 64);
        transport_.set_small(3, std::make_shared<OpenAICodec>(models, Truncation::start), 64, 3, 9, 64);
        transport_.set_keys(keys());
        transport_.start();
    }

    /// Takes what has come and answers it, `rounds` times.
    void serve(int rounds = 4) {
        for (; rounds > 0; --rounds) {
            std::optional<Batch> batch;
            asked([&] {
                batch = transport_.take_messages(
                    {.messages = 8,
                     .bytes = 1 << 20,
                     .small = 8,
                     .small_bytes = 1 << 20,
                     .path = path,
                     .slices = {.usual_sentences = 1, .max_sentences = 1, .soon_s = 0, .max_tokens = 2}},
                    0);
            });
            if (batch && batch->unread) transport_.leave_to_python(*batch->unread);
            if (batch) compute(batch->slices);
            if (batch) answer(*batch);
            std::optional<HttpRequests> requests;
            asked([&] { requests = transport_.take_requests(8); });
            if (requests) respond(*requests);
            asked([&] { transport_.set_serving(rounds % 2, std::vector<std::string>{"t"}); });
            asked([&] { transport_.ended(); });
        }
    }

    Figures figures() { return transport_.figures(); }

    bool has_noted(EventKind what) {
        const std::vector<Event> events = transport_.events(false);
        return std::any_of(events.begin(), events.end(), [&](const Event& event) { return event.kind == what; });
    }

    std::uint16_t grpc = 0, http = 0;

private:
    void answer(Batch& batch) {
        Transport::Answers answers;
        Transport::Failures failed;
        for (TakenMessage& taken : batch.messages) {
            const bool fails = taken.content.find("fails") != std::string::npos, is_passed_on = taken.is_http && fails;
            if (is_passed_on || (taken.content.find("odd") != std::string::npos && submit(taken.id))) continue;
            if (fails) failed.push_back({taken.id, {3, "no", "\x08\x03"}});
            else answers.push_back({taken.id, "answer to " + taken.content});
            taken.is_http = false;
        }
        asked([&] { transport_.pass_on(batch); });
        asked([&] { transport_.fail(failed); });
        asked([&] { transport_.answer(answers); });
    }

    /// Has two sentences of a message computed before it is answered; returns false if there is no memory for it.
    bool submit(std::uint64_t id) {
        bool is_submitted = false;
        asked([&] {
            Submission submission{0, {}, never};
            for (const std::int32_t token : {1, 2}) submission.tokens.append(std::span(&token, 1));
            is_submitted = transport_.submit(id, path, std::move(submission), dimension, {}, 1e-6);
        });
        return is_submitted;
    }

    /// Computes the sentences whose turn it is, and answers the messages of which they were the last.
    void compute(const std::vector<Slice>& slices) {
        for (const Slice& slice : slices) {
            const std::array<float, dimension> row{};
            if (!slice.job->put(slice, row.data(), dimension, 0) || !transport_.end_submission(*slice.job)) continue;
            const std::string content = "rows of " + slice.job->message.content;
            const Exposed exposed(false);  // Python has its answer by now
            Transport::Answers answers{{slice.job->message.id, content}};
            transport_.answer(answers);
        }
    }

    void respond(HttpRequests& requests) {
        for (const HttpRequest& request : requests.requests) {
            Response response{200, {{"x-y", "z"}}, "application's to " + request.target + request.body};
            asked([&] { transport_.respond(request.id, std::move(response)); });
        }
    }

    Transport transport_;
};

// What is said, piece by piece, and what the answers to each piece end with.
struct Piece {
    std::string bytes;
    std::string_view answered{};
};

struct Conversation {
    const char* name;
    std::uint16_t Served::* port;
    std::vector<Piece> pieces;
};

constexpr double patience_s = 5;  // a connection may rest meanwhile
constexpr std::uint8_t data = 0, headers = 1, reset = 3, settings_frame = 4, ping = 6, end_stream = 1, end_headers = 4;

std::string begun() { return std::string(fuzz::preface) + fuzz::frame(settings_frame, 0, 0, ""); }

std::string asks(std::uint32_t stream, std::string_view path, std::string_view type = "application/grpc",
                 std::uint8_t flags = 0) {
    std::string block = "\x83\x86" + fuzz::literal(":path", path) + fuzz::literal(":authority", "localhost");
    block += fuzz::literal("content-type", type);
    block += fuzz::literal("authorization", "Bearer one") + fuzz::literal("x-note", "a note") +
             fuzz::literal("grpc-timeout", "1H");
    return fuzz::frame(headers, std::uint8_t(end_headers | flags), stream, block);
}

std::string says(std::uint32_t stream, std::string_view content, std::uint8_t flags = end_stream) {
    return fuzz::frame(data, flags, stream, prefix_of(content.size()).append(content));
}

std::string posts(std::string_view target, std::string_view body) {
    std::string bytes = "POST " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer one\r\n";
    bytes += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    return bytes.append(body);
}

std::vector<Conversation> conversations() {
    const std::string sentence = "\x0a\x05small", list = "\x0a\x01x\x0a\x01y\x0a\x01z\x0a\x01l";
    const std::string none = std::string("Bearer two").append(300, 'x');
    return {
        {"gRPC",
         &Served::grpc,
         {{begun() + asks(1, "/t/Unary") + says(1, "plain"), "answer to plain"},
          {asks(3, "/t/Unary") + says(3, sentence),
           "answer to "
           "\x0a\x05small"},
          {asks(5, "/t/Unary") + says(5, list), "x\x0a\x01y\x0a\x01z\x0a\x01l"},
          {asks(7, "/t/Row") + says(7, "first", 0), "answer to first"},
          {says(7, "second", 0) + says(7, "third"), "answer to third"},
          {asks(9, "/t/Unary") + says(9, "it fails"), "no"},
          {asks(11, "/t/No") + says(11, "nobody's")},
          {asks(13, "/grpc.health.v1.Health/Check") + says(13, "\x0a\x01t"), std::string_view("\x08", 1)},
          {asks(15, "/grpc.health.v1.Health/Watch") + says(15, "\x0a\x01t")},
          {asks(17, "/t/Unary") + says(17, std::string(3000, 'l'))},
          {asks(19, "/t/Row") + says(19, "dropped", 0) + fuzz::frame(reset, 0, 19, std::string("\0\0\0\x08", 4)) +
               fuzz::frame(ping, 0, 0, "12345678"),
           "12345678"},
          {asks(21, "/t/Unary") + says(21, "an odd one"), "rows of an odd one"},
          {asks(23, "/t/Row") + says(23, "an odd one"), "rows of an odd one"},
          {asks(25, "/t/Probe") + says(25, "the last"), "answer to the last"}}},
        {"HTTP/1.1",
         &Served::http,
         {{posts("/e", R"({"input":"small"})"), R"(answer to {"input":"small"})"},
          {posts("/e", R"({"input":["1","2","3","4"]})"), R"(answer to {"input":["1","2","3","4"]})"},
          {posts("/e", R"({"input":"it fails"})"), R"(application's to /e{"input":"it fails"})"},
          {"GET /h HTTP/1.1\r\nHost: localhost\r\n\r\n", "application's to /h"},
          {"POST /other?a=b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nX-Note: a note, that is not "
           "short at all\r\n\r\n"
           "3;x=y\r\nabc\r\n3\r\ndef\r\n0\r\nTrailer: t\r\n\r\n",
           "application's to /other?a=babcdef"},
          {"POST /e HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + none + "\r\nContent-Length: 2\r\n\r\n{}",
           "unknown_key"},
          {"POST /f HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", "100 Continue"},
          {"abc" + posts("/e", R"({"input":"second"})") + posts("/g", "third"), "application's to /gthird"},
          {"GET http://localhost/h HTTP/1.1\r\nHost: other\r\n\r\n", "application's to /h"},
          {"GET /last HTTP/3.1\r\nHost: localhost\r\n\r\n", "505"}}},
        {"HTTP/2",
         &Served::http,
         {{begun() + asks(1, "/e", "application/json") + fuzz::frame(data, end_stream, 1, R"({"input":"small"})"),
           R"(answer to {"input":"small"})"},
          {asks(3, "/e", "application/json") + fuzz::frame(data, end_stream, 3, R"({"input":"it fails"})"),
           R"(application's to /e{"input":"it fails"})"},
          {asks(5, "/other", "text/plain", end_stream), "application's to /other"},
          {asks(7, "/e", "application/json") + fuzz::frame(data, 0, 7, std::string(3000, 'l')), "large"},
          {asks(9, "/last", "text/plain") + fuzz::frame(data, 0, 9, "a") + fuzz::frame(data, end_stream, 9, "b"),
           "application's to /lastab"}}},
    };
}

/// Returns whether a frame resets a stream, or says that the connection ends.
bool has_reset(std::string_view frames) {
    while (frames.size() >= 9) {
        const auto byte = [&](std::size_t index) { return std::size_t(std::uint8_t(frames[index])); };
        if (byte(3) == reset) return true;
        frames.remove_prefix(std::min(frames.size(), 9 + (byte(0) << 16 | byte(1) << 8 | byte(2))));
    }
    return false;
}

/// Holds a conversation; returns whether all of it was answered.
bool hold(Served& served, const Conversation& conversation, const std::string& where) {
    Caller caller(served.*conversation.port);
    const auto go_on = [&] {
        served.serve(2);
        caller.read();
    };
    for (const Piece& piece : conversation.pieces) {
        caller.got.clear();
        caller.tell(piece.bytes);
        const auto is_answered = [&] {
            return !caller.got.empty() && caller.got.find(piece.answered) != std::string::npos;
        };
        const auto is_settled = [&] { return is_answered() || caller.is_over || has_reset(caller.got); };
        const double until = now() + patience_s;
        for (int rounds = 0; !is_settled() && now() < until; ++rounds) {
            if (rounds > 3 && failures > 0) passes = -1;  // there is memory again, and whoever still waits is answered
            go_on();
        }
        check(is_settled(),
              std::string(conversation.name) + ", " + where + ": waits in vain for " + std::string(piece.answered));
        if (!is_answered()) return false;
    }
    return true;
}

/// Somebody else, who was there before, and stays.
class Neighbours {
public:
    explicit Neighbours(Served& served) : served_(served), grpc_(served.grpc), http_(served.http) {
        grpc_.tell(begun());
    }

    void ask() {
        const std::string words = "neighbour's " + std::to_string(stream_ += 2);
        grpc_.tell(asks(stream_, "/t/Unary") + says(stream_, words));
        http_.tell(posts("/n", words));
        for (const double until = now() + patience_s;
             now() < until && !(grpc_.has("answer to " + words) && http_.has("/n" + words));) {
            served_.serve(1);
            grpc_.read();
            http_.read();
        }
        check(grpc_.has("answer to " + words) && http_.has("/n" + words), "a neighbour isn't served");
        grpc_.got.clear();
        http_.got.clear();
    }

private:
    Served& served_;
    Caller grpc_, http_;
    std::uint32_t stream_ = std::uint32_t(-1);
};

void check_nothing_is_left(Served& served) {
    for (const double until = now() + patience_s; now() < until;) {
        served.serve(1);
        const Figures figures = served.figures();
        const double left = figures.connections - 1 + figures.http_connections - 1 + figures.requests + figures.calls +
                            figures.slots + figures.waiting + figures.taken + figures.held_bytes +
                            figures.making_bytes + figures.unread_bytes + figures.reading + figures.deadlines +
                            figures.watchers;
        if (left == 0) return;
    }
    check(false, "something is left of who has gone");
}

/// Fails each allocation of a conversation; returns how many it takes.
std::int64_t fail_each(Served& served, Neighbours& neighbours, const Conversation& conversation, bool on) {
    for (std::int64_t index = 0;; ++index) {
        fails_on = on;
        failures = 0;
        passes = index;
        const bool is_answered =
            hold(served, conversation, "allocation " + std::to_string(index) + (on ? " and all after it" : ""));
        passes = -1;
        if (failures == 0) return check(is_answered, std::string(conversation.name) + ": isn't answered"), index;
        check_nothing_is_left(served);
        neighbours.ask();
    }
}

/// Fails each allocation of all conversations with a transport of so many shards.
void fail_each(std::size_t shards) {
    std::printf("%zu shards\n", shards);
    is_exposed = false;
    Served served(shards);
    Neighbours neighbours(served);
    neighbours.ask();
    for (const Conversation& conversation : conversations())
        check(hold(served, conversation, "where none fails"), std::string(conversation.name) + ": isn't answered");
    for (const Conversation& conversation : conversations())
        for (const bool on : {false, true})
            std::printf("%s: %lld allocations%s\n", conversation.name,
                        (long long)fail_each(served, neighbours, conversation, on), on ? ", with all after each" : "");
    for (const EventKind what : {EventKind::no_memory, EventKind::call_no_memory})
        check(served.has_noted(what), "an operator isn't told that there was no memory");
}

}  // namespace

// Not in line, where GCC would see `free` meet what came of `new`.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const made = memory_fails() ? nullptr : std::malloc(size > 0 ? size : 1);
    if (!made) throw std::bad_alloc();
    return made;
}
[[gnu::noinline]] void operator delete(void* held) noexcept { std::free(held); }
[[gnu::noinline]] void operator delete(void* held, std::size_t) noexcept { std::free(held); }

int main() {
    for (const std::size_t shards : {1, 3}) fail_each(shards);
    return has_failed;
}
