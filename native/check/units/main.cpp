// Runs the tests of the transport's parts; the exit status is 1 where one fails.
#include <array>
#include <cstdio>

#include "units.hpp"

namespace units {
namespace {

struct Test {
    const char* name;
    void (*run)();
};

std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

bool has_failed = false;

}  // namespace

Registered::Registered(const char* name, void (*test)()) { tests().push_back({name, test}); }

void failed(const char* what, const char* file, int line) {
    std::printf("    %s:%d: %s\n", file, line, what);
    has_failed = true;
}

TransportSettings settings(const Limits& limits) {
    TransportSettings made;
    made.limits = limits;
#define TRANSPORT_SAID(name, words) made.statuses[std::size_t(Refusal::name)] = {8, #name, "d"};
    TRANSPORT_REFUSALS(TRANSPORT_SAID)
#undef TRANSPORT_SAID
    made.methods = {{"/t/Unary", false, true}, {"/t/Row", true, true}, {"/t/Probe", false, false}};
    made.headers = {"x-note"};
    made.max_wait = 0.25;
    made.health_services = {""};
    return made;
}

Caller::Caller(Shared& shared, std::uint64_t id, const std::string& network, PeerAddress peer_address)
    : peer(shared, id, shared.network(network), std::move(peer_address)) {}

Call& Caller::call(std::string_view path, std::string_view bytes, bool ends, const std::vector<Header>& headers) {
    Call& call = peer.begin(*this, next_ += 2);
    const std::array<Header, 3> usual{{{":path", path}, {":method", "POST"}, {"content-type", "application/grpc"}}};
    for (const auto& [name, value] : usual)
        if (call.bears(name.size() + value.size())) call.header(name, value);
    for (const auto& [name, value] : headers)
        if (call.bears(name.size() + value.size())) call.header(name, value);
    call.headers_came();
    if (!bytes.empty()) call.data_came(bytes);
    if (ends) call.end_came();
    return call;
}

std::string Caller::read(Call& call) {
    std::array<std::uint8_t, 100> room;
    Call::Piece piece{0, Call::Piece::Then::more};
    while (with_body_.contains(call.stream()) && piece.then == Call::Piece::Then::more) {
        piece = call.read(room);
        bodies_[call.stream()].append(reinterpret_cast<const char*>(room.data()), piece.size);
        if (piece.then == Call::Piece::Then::end) with_body_.erase(call.stream());
    }
    return bodies_[call.stream()];
}

void Caller::respond(Call& call, HeaderFields headers, bool has_body) {
    note(call, headers);
    if (has_body) with_body_.insert(call.stream());
}

void Caller::note(const Call& call, HeaderFields fields) {
    for (const auto& [name, value] : fields) fields_[call.stream()][std::string(name)] = value;
}

std::vector<Message*> take_messages(Shared& shared, Line& line, std::size_t count) {
    std::vector<Message*> taken;
    while (taken.size() < count && line.first()) {
        Message* const message = line.take_message();
        shared.outstanding.add(*message);
        message->call->handed_over(*message);
        taken.push_back(message);
    }
    return taken;
}

void answer(Shared& shared, const std::vector<Message*>& taken, std::string_view content) {
    for (Message* message : taken)
        if (shared.outstanding.remove(message->id)) message->call->answer(*message, std::string(content), 0);
}

}  // namespace units

int main() {
    int failures = 0;
    for (const auto& [name, run] : units::tests()) {
        units::has_failed = false;
        run();
        std::printf("%s %s\n", units::has_failed ? "FAILED" : "passed", name);
        failures += units::has_failed;
    }
    return failures > 0;
}
