// Requests over HTTP, from their heads to their responses.
#include "../../transport/http_call.hpp"
#include "units.hpp"

using namespace transport;
using namespace units;

namespace {

TransportSettings web_settings(const Limits& limits = {}) {
    TransportSettings made = settings(limits);
    made.methods.push_back({"/v1/e", false, true, true});
    made.methods.push_back({"/healthz", false, false, true});
    made.hosts = Hosts{{"known"}, false};
#define TRANSPORT_SAID(name, words) \
    made.responses[0][std::size_t(Refusal::name)] = {418, {{"x-refusal", #name}}, #name};
    TRANSPORT_REFUSALS(TRANSPORT_SAID)
#undef TRANSPORT_SAID
    return made;
}

/// Calls of one HTTP connection, written in HTTP/2's notation.
class Web : public Caller {
public:
    explicit Web(Shared& shared, std::uint64_t id = 1)
        : Caller(shared, id, "a", {0, true, false, false, "127.0.0.1", 1}) {}

    HttpCall& ask(std::string_view verb, std::string_view path, std::string_view body, bool ends = true,
                  const std::vector<Header>& headers = {}) {
        auto& call = static_cast<HttpCall&>(peer.begin(*this, next_stream()));
        const std::array<Header, 3> usual{{{":method", verb}, {":path", path}, {":authority", "known"}}};
        for (const auto& [name, value] : usual) call.header(name, value);
        for (const auto& [name, value] : headers) call.header(name, value);
        call.headers_came();
        if (!body.empty()) call.data_came(body);
        if (ends) call.end_came();
        return call;
    }
    std::string refusal(Call& call) { return field(call, "x-refusal"); }
};

}  // namespace

TEST(a_request_of_the_application_takes_no_slot_and_a_call_does) {
    Shared shared(web_settings());
    Web caller(shared);
    HttpCall& page = caller.ask("GET", "/page", "");
    CHECK(shared.slots.used() == 0 && shared.requests.used() == 1 && shared.lines.application.size() == 1);
    HttpCall& call = caller.ask("POST", "/v1/e", "{}");
    CHECK(shared.slots.used() == 1 && shared.requests.used() == 1 && shared.lines.size() == 0);
    CHECK(shared.held.used() > 2 * message_overhead + 2);
    for (Message* message : take_messages(shared, shared.lines.application, 2)) {
        shared.outstanding.remove(message->id);
        static_cast<HttpCall*>(message->call)->respond({200, {{"x-a", "b"}}, "body"});
    }
    CHECK(shared.slots.used() == 0 && shared.requests.used() == 0 && shared.held.used() == 0);
    CHECK(caller.read(page) == "body" && caller.field(page, "content-length") == "4");
    CHECK(caller.field(call, ":status") == "200" && caller.field(call, "x-content-type-options") == "nosniff");
    CHECK(shared.unread.used() == 4);
    caller.close(page);
    caller.close(call);
    CHECK(shared.unread.used() == 0 && shared.open.used() == 0 && shared.owed.used() == 0);
}

TEST(what_is_odd_in_a_head_is_for_the_application) {
    Shared shared(web_settings());
    Web caller(shared);
    const Caller::Header json{"content-type", "application/JSON; charset=utf-8"};
    CHECK(caller.ask("POST", "/v1/e", "{}", true, {json}).is_plain());
    for (const std::vector<Caller::Header>& headers :
         std::vector<std::vector<Caller::Header>>{{},
                                                  {json, json},
                                                  {json, {"origin", "x"}},
                                                  {json, {"host", "known"}},
                                                  {json, {"content-encoding", "br"}},
                                                  {{"content-type", "text/json"}},
                                                  {json, {"x-stainless-read-timeout", "1 s"}}})
        CHECK(!caller.ask("POST", "/v1/e", "{}", true, headers).is_plain());
    CHECK(!caller.ask("POST", "/v1/e?x", "{}", true, {json}).is_plain());
    CHECK(!caller.ask("GET", "/v1/e", "{}", true, {json}).is_of_method());
    CHECK(caller.ask("POST", "/v1/%65", "{}", true, {json}).is_of_method());
    CHECK(!caller.ask("POST", "/v1/%6", "{}", true, {json}).is_of_method());
}

TEST(a_body_is_bounded_as_it_is_announced_and_as_it_comes) {
    Shared shared(web_settings(with(&Limits::max_message_bytes, 10)));
    Web caller(shared);
    CHECK(caller.refusal(caller.ask("POST", "/v1/e", "", false, {{"content-length", "11"}})) == "large");
    CHECK(caller.refusal(caller.ask("POST", "/v1/e", "01234567890", false)) == "large");
    CHECK(shared.slots.used() == 0);
    HttpCall& page = caller.ask("POST", "/page", "01234567890", false);
    CHECK(!page.has_ended() && !page.is_whole() && shared.lines.application.size() == 1);
    HttpCall& announced = caller.ask("POST", "/page", "", false, {{"content-length", "11"}});
    CHECK(!announced.is_whole() && shared.lines.application.size() == 2);
}

TEST(a_request_that_is_passed_on_comes_back_as_it_was) {
    Shared shared(web_settings());
    Web caller(shared);
    caller.ask("POST", "/v1/e", "{}");
    Message* const message = take_messages(shared, shared.lines.application, 1)[0];
    std::string content = std::exchange(message->content, {});
    shared.outstanding.remove(message->id);
    CHECK(message->call->pass_on(*message, std::move(content)));
    CHECK(shared.lines.application.size() == 1 && shared.slots.used() == 1 &&
          shared.held.used() == 2 + message_overhead);
    CHECK(shared.lines.application.first()->content == "{}");
    shared.end_expired(now());
    message->call->refuse(Refusal::full);
    CHECK(shared.lines.application.size() == 0 && shared.held.used() == 0 && shared.ended.hand_over().size() == 1);
}

TEST(a_caller_that_leaves_is_told_to_whoever_has_its_request) {
    Shared shared(web_settings());
    Web caller(shared);
    HttpCall& call = caller.ask("GET", "/page", "");
    const std::uint64_t id = take_messages(shared, shared.lines.application, 1)[0]->id;
    caller.close(call);
    CHECK(!shared.outstanding.has_news() && shared.outstanding.hand_over_gone(true) == std::vector{id});
}
