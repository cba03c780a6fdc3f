// Tests of the transport's parts without sockets: each TEST is a function, and CHECK says where something isn't so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../transport/grpc.hpp"
#include "../../transport/peer.hpp"

namespace units {

using namespace transport;

/// Registers a test, which `main` runs.
struct Registered {
    Registered(const char* name, void (*test)());
};

/// Records where a check failed.
void failed(const char* what, const char* file, int line);

#define TEST(name)                                       \
    static void name();                                  \
    static const units::Registered name##_(#name, name); \
    static void name()
#define CHECK(condition)                                                 \
    do {                                                                 \
        if (!(condition)) units::failed(#condition, __FILE__, __LINE__); \
    } while (false)

/// Returns settings of a server with three methods: /t/Unary, /t/Row, and /t/Probe, which takes no slot. Each refusal's
/// message is its name.
TransportSettings settings(const Limits& limits = {});

/// Returns the usual limits with one changed.
template <class Value, class Given>
Limits with(Value Limits::* name, Given value) {
    Limits limits;
    limits.*name = Value(value);
    return limits;
}

inline std::string framed(std::string_view content) { return prefix_of(content.size()).append(content); }

/// Calls of one connection, without a real protocol: it records the answers to each.
class Caller : public StreamControl {
public:
    using Header = std::pair<std::string_view, std::string_view>;

    explicit Caller(Shared& shared, std::uint64_t id, const std::string& network = "a", PeerAddress peer_address = {});
    ~Caller() { peer.forget_all(); }

    /// Begins a call for which `bytes` arrive, and nothing more if it `ends`.
    Call& call(std::string_view path, std::string_view bytes, bool ends = true,
               const std::vector<Header>& headers = {});
    Call& echo(std::string_view content) { return call("/t/Unary", framed(content)); }

    /// Reads the answer to a call; returns the body so far.
    std::string read(Call& call);

    /// Returns a header or trailer of a call's answer; empty if it has none.
    std::string field(Call& call, const std::string& name) { return fields_[call.stream()][name]; }

    /// Returns the message of a call's gRPC status.
    std::string said(Call& call) { return field(call, "grpc-message"); }
    bool is_reset(const Call& call) const { return resets_.contains(call.stream()); }
    std::size_t consumed(const Call& call) { return consumed_[call.stream()]; }

    /// Ends a call as HTTP/2 does when everything is sent or its caller has left.
    void close(Call& call) { peer.forget(call); }

    Peer peer;

protected:
    std::int32_t next_stream() { return next_ += 2; }

private:
    void respond(Call& call, HeaderFields headers, bool has_body) override;
    void end(const Call& call, HeaderFields trailers) override { note(call, trailers); }
    void resume(const Call&) override {}
    void consume(const Call& call, std::size_t bytes) override { consumed_[call.stream()] += bytes; }
    void reset(const Call& call, EventKind) override { resets_.insert(call.stream()); }
    void note(const Call& call, HeaderFields fields);

    std::int32_t next_ = -1;
    std::map<std::int32_t, std::map<std::string, std::string>> fields_;
    std::map<std::int32_t, std::string> bodies_;
    std::map<std::int32_t, std::size_t> consumed_;
    std::set<std::int32_t> with_body_, resets_;
};

/// Takes `count` messages off a line, as a computing thread does, and returns them.
std::vector<Message*> take_messages(Shared& shared, Line& line, std::size_t count);

/// Answers all messages that were taken.
void answer(Shared& shared, const std::vector<Message*>& taken, std::string_view content);

}  // namespace units
