// A call from its headers to its end.
#include "units.hpp"

using namespace transport;
using namespace units;

namespace {

bool is_empty(const Shared& shared) {
    return shared.lines.size() + shared.outstanding.size() + shared.reading.size() + shared.deadlines.size() +
               shared.watchers.size() + shared.slots.used() + shared.open.used() + shared.owed.used() +
               shared.held.used() + shared.unread.used() ==
           0;
}

}  // namespace

TEST(a_call_is_answered_and_nothing_is_left_of_it) {
    Shared shared(settings());
    Caller caller(shared, 1);
    Call& call = caller.echo("hello");
    CHECK(shared.slots.used() == 1 && shared.held.used() == 5 + message_overhead);
    answer(shared, take_messages(shared, shared.lines.metered, 1), "answer");
    CHECK(shared.unread.used() == 5 + 6);
    CHECK(caller.read(call) == framed("answer") && caller.field(call, "grpc-status") == "0");
    CHECK(shared.unread.used() == 0 && shared.slots.used() == 0);
    caller.close(call);
    CHECK(is_empty(shared) && shared.ended.hand_over().empty());  // Python has taken it, and counts it
}

TEST(empty_messages_and_headers_cost_something) {
    Shared shared(settings());
    Caller caller(shared, 1);
    Call& call = caller.call("/t/Row", "", false, {{"x-note", ""}, {"x-note", ""}});
    CHECK(call.held() == 2 * 64);
    call.data_came(framed("") + framed(""));
    CHECK(shared.held.used() == 2 * 64 + 2 * message_overhead);
    take_messages(shared, shared.lines.metered, 1);
    CHECK(caller.peer.held.used() == 2 * 64 + message_overhead);
    caller.close(call);
    CHECK(is_empty(shared) && shared.outstanding.has_news());
}

TEST(a_message_is_refused_by_its_prefix) {
    Shared shared(settings(with(&Limits::max_message_bytes, 1000)));
    Caller caller(shared, 1);
    CHECK(caller.said(caller.call("/t/Unary", std::string("\0\0\0\x03\xe9", 5), false)) == "large");
    CHECK(!caller.echo(std::string(1000, 'x')).has_ended());
    CHECK(caller.said(caller.call("/t/Unary", std::string("\1\0\0\0\1x", 6))) == "malformed");
    CHECK(caller.said(caller.call("/t/Unary", "")) == "empty");
    CHECK(caller.said(caller.call("/t/Unary", framed("one") + framed("two"), false)) == "malformed");
}

TEST(what_needs_no_key_is_small) {
    Shared shared(settings());
    Caller caller(shared, 1);
    CHECK(!caller.call("/t/Probe", framed(std::string(4096, 'x'))).has_ended());
    CHECK(caller.said(caller.call("/t/Probe", std::string("\0\0\0\x10\1", 5), false)) == "large");
    CHECK(!caller.echo(std::string(5000, 'x')).has_ended());
    Shared narrow(settings(with(&Limits::max_message_bytes, 1000)));
    Caller other(narrow, 1);
    CHECK(other.said(other.call("/t/Probe", framed(std::string(1001, 'x')))) == "large");
}

TEST(what_is_no_timeout_is_refused) {
    Shared shared(settings());
    Caller caller(shared, 1);
    for (const char* path : {"/t/Unary", "/t/Row", "/t/Probe", "/grpc.health.v1.Health/Check"})
        for (const char* timeout : {"", "S", "1", "-1S", "1.5S", "1s", "999999999S", "1 S", "\u0663S", "1e3S"})
            CHECK(caller.said(caller.call(path, framed("x"), true, {{"grpc-timeout", timeout}})) == "timeout");
    CHECK(shared.ended.hand_over().size() == 30);  // checks of health are not counted
}

TEST(answers_leave_in_the_order_of_their_messages) {
    Shared shared(settings());
    Caller caller(shared, 1);
    Call& call = caller.call("/t/Row", framed("a") + framed("b") + framed("c"));
    const auto taken = take_messages(shared, shared.lines.metered, 3);
    answer(shared, {taken[2], taken[1]}, "late");
    CHECK(caller.read(call).empty());
    answer(shared, {taken[0]}, "first");
    CHECK(caller.read(call) == framed("first") + framed("late") + framed("late"));
    CHECK(caller.field(call, "grpc-status") == "0");
}

TEST(a_failure_comes_after_the_answers_before_it) {
    Shared shared(settings());
    Caller caller(shared, 1);
    Call& call = caller.call("/t/Row", framed("a") + framed("b") + framed("c"), false);
    const auto taken = take_messages(shared, shared.lines.metered, 3);
    const std::uint64_t last = taken[2]->id;
    call.fail(*taken[1], {3, "no", ""});
    CHECK(shared.outstanding.hand_over_gone() == std::vector<std::uint64_t>{last});
    answer(shared, {taken[0]}, "A");
    CHECK(caller.read(call) == framed("A") && caller.said(call) == "no");
}

TEST(no_more_is_on_its_way_than_the_window_holds) {
    for (const auto& [name, most] :
         {std::pair(&Limits::window_messages, 3), {&Limits::window_bytes, 8}, {&Limits::window_sentences, 3}}) {
        Shared shared(settings(with(name, most)));
        Caller caller(shared, 1);
        const std::string sentence = framed("\n\1x");
        Call& call = caller.call("/t/Row", sentence + sentence + sentence + sentence, false);
        CHECK(shared.lines.size() == 3 && caller.consumed(call) == 0);
        answer(shared, take_messages(shared, shared.lines.metered, 1), "y");
        CHECK(shared.lines.size() == 2);  // it is not read yet
        caller.read(call);
        CHECK(shared.lines.size() == 3);
    }
}

TEST(a_deadline_passes) {
    Shared shared(settings());
    Caller caller(shared, 1);
    const std::vector<Caller::Header> second{{"grpc-timeout", "1S"}};
    Call& taken = caller.call("/t/Unary", framed("x"), true, second);
    take_messages(shared, shared.lines.metered, 1);
    Call& waiting = caller.call("/t/Unary", framed("x"), true, second);
    shared.end_expired(now());
    CHECK(!waiting.has_ended() && shared.due.time() <= now() + 1);
    shared.end_expired(now() + 2);
    CHECK(caller.said(waiting) == "expired" && caller.said(taken) == "expired");
    CHECK(shared.lines.size() == 0 && shared.outstanding.has_news() && shared.deadlines.empty());
    CHECK(shared.ended.hand_over().size() == 1);  // the other is Python's to count
    CHECK(caller.said(caller.call("/t/Unary", framed("x"), true, {{"grpc-timeout", "0S"}})) == "expired");
}

TEST(whoever_leaves_is_counted_once) {
    Shared shared(settings());
    Caller caller(shared, 1);
    caller.close(caller.echo("waits"));
    caller.close(caller.call("/t/Row", framed("torn").substr(0, 6), false));
    const auto ended = shared.ended.hand_over();
    CHECK(ended.size() == 2 && ended[0].code == cancelled && ended[1].method == 1);
    CHECK(is_empty(shared));
}

TEST(a_key_is_asked_for_once_a_call) {
    Shared shared(settings());
    Caller caller(shared, 1);
    shared.keys = std::make_shared<const Keys>(Keys{{KeyDigest().of("Bearer one"), nullptr}});
    CHECK(caller.said(caller.call("/t/Unary", "", false)) == "no_key");  // its request isn't waited for
    CHECK(caller.said(caller.call("/t/Unary", framed("x"), true, {{"authorization", "Bearer two"}})) == "unknown_key");
    CHECK(caller.said(caller.call("/t/Unary", framed("x"), true,
                                  {{"authorization", "Bearer one"}, {"authorization", "Bearer one"}})) ==
          "unknown_key");
    Call& call = caller.call("/t/Unary", framed("x"), true, {{"authorization", "Bearer one"}});
    CHECK(!call.has_ended() && call.caller() != caller.peer.id);
    CHECK(!caller.call("/t/Probe", framed("x")).has_ended());
}

TEST(a_drain_ends_what_has_not_come_whole) {
    Shared shared(settings());
    Caller caller(shared, 1);
    Call& torn = caller.call("/t/Unary", framed("torn").substr(0, 6), false);
    Call& whole = caller.echo("whole");
    Call& row = caller.call("/t/Row", framed("row"), false);
    shared.is_draining = true;
    caller.peer.drain();
    CHECK(caller.said(torn) == "draining" && !whole.has_ended() && caller.said(row).empty());
    answer(shared, take_messages(shared, shared.lines.metered, 2), "y");
    CHECK(caller.read(row) == framed("y") && caller.said(row) == "draining");
    CHECK(caller.read(whole) == framed("y") && caller.said(caller.echo("x")) == "draining");
}

TEST(a_status_that_is_too_long_is_cut_between_characters) {
    Shared shared(settings());
    Caller caller(shared, 1);
    const auto fail = [&](const std::string& message, const std::string& details) -> Call& {
        Call& call = caller.echo("x");
        call.fail(*take_messages(shared, shared.lines.metered, 1)[0], {3, message, details});
        return call;
    };
    std::string accents;
    for (int count = 0; count < 40'000; ++count) accents += "\u00e9";
    CHECK(caller.said(fail(std::string(70'000, 'x'), "d")) == std::string(8192, 'x'));
    CHECK(caller.said(fail(accents, "d")) == percent_encoded(accents.substr(0, 8192)));
    CHECK(caller.said(fail("x" + accents, "d")) == percent_encoded("x" + accents.substr(0, 8190)));
    CHECK(caller.field(fail("no", "d"), "grpc-status-details-bin") == "ZA");
    CHECK(caller.field(fail("no", std::string(70'000, 'd')), "grpc-status-details-bin").empty());
}
