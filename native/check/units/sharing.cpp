// Who is refused and who gives way where there is no room.
#include "waiting.hpp"

using namespace transport;
using namespace units;

TEST(a_call_more_than_there_are_slots_is_refused_before_its_request_is_read) {
    Shared shared(settings(with(&Limits::max_concurrent_requests, 2)));
    Caller caller(shared, 1);
    Call& first = caller.echo("x");
    caller.echo("x");
    Call& refused = caller.call("/t/Unary", "", false);
    CHECK(caller.said(refused) == "full" && refused.has_ended());
    CHECK(shared.ended.hand_over().size() == 1);
    answer(shared, take_messages(shared, shared.lines.metered, 1), "y");
    caller.read(first);
    CHECK(!caller.echo("x").has_ended());
}

TEST(streams_and_unmetered_calls_hold_no_slot) {
    Shared shared(settings(with(&Limits::max_concurrent_requests, 0)));
    Caller caller(shared, 1);
    CHECK(!caller.call("/t/Row", framed("row"), false).has_ended());
    CHECK(!caller.call("/t/Probe", framed("probe")).has_ended());
    CHECK(shared.lines.metered.size() == 1 && shared.lines.unmetered.size() == 1 && shared.slots.used() == 0);
}

TEST(who_has_many_slots_gives_one_to_who_has_none) {
    Shared shared(settings(with(&Limits::max_concurrent_requests, 3)));
    Caller greedy(shared, 1), polite(shared, 2);
    Call& first = greedy.echo("x");
    greedy.echo("x");
    Call& last = greedy.call("/t/Unary", "", false);
    CHECK(greedy.said(greedy.echo("x")) == "full");
    CHECK(!polite.echo("x").has_ended() && greedy.said(last) == "full");
    CHECK(polite.said(polite.echo("x")) == "full" && !first.has_ended());
}

TEST(a_network_of_many_connections_gives_slots_to_another_network) {
    Shared shared(settings(with(&Limits::max_concurrent_requests, 4)));
    Caller first(shared, 1, "many"), second(shared, 2, "many"), third(shared, 3, "many"), fourth(shared, 4, "many");
    Caller one(shared, 5, "one"), another(shared, 6, "many");
    for (Caller* caller : {&first, &second, &third, &fourth}) CHECK(!caller->echo("x").has_ended());
    CHECK(another.said(another.echo("x")) == "full");
    CHECK(!one.echo("x").has_ended() && shared.slots.used() == 4);
    CHECK(one.said(one.echo("x")) == "full");  // which would leave that network less than twice as many
}

TEST(what_was_taken_gives_its_slot_to_nobody) {
    Shared shared(settings(with(&Limits::max_concurrent_requests, 2)));
    Caller greedy(shared, 1), polite(shared, 2);
    greedy.echo("x");
    greedy.echo("x");
    take_messages(shared, shared.lines.metered, 2);
    CHECK(polite.said(polite.echo("y")) == "full");
}

TEST(who_is_passed_by_is_refused_before_its_time_is_over) {
    Shared shared(settings());
    Caller greedy(shared, 1), polite(shared, 2);
    Line& line = shared.lines.metered;
    const std::vector<Caller::Header> patient{{"grpc-timeout", "400S"}};  // a hundred of them in line
    std::vector<Call*> calls;
    for (int count = 0; count < 13; ++count) calls.push_back(&greedy.call("/t/Unary", framed("greedy"), true, patient));
    take_messages(shared, line, 2);
    double time = 0;
    pace(line, time, work_of(6), 11);
    CHECK(!polite.call("/t/Unary", framed("polite"), true, patient).has_ended());
    CHECK(greedy.said(*calls[12]) == "late" && greedy.said(*calls[11]) == "late" && !calls[10]->has_ended());
}

TEST(a_request_that_is_too_slow_gives_way) {
    Shared shared(settings());
    Caller caller(shared, 1);
    Call& first = caller.call("/t/Unary", "", false);
    Call& second = caller.call("/t/Unary", "", false);
    CHECK(!shared.make_way(second, now()));
    CHECK(shared.make_way(second, now() + 11));
    CHECK(caller.said(first) == "slow" && !second.has_ended());
}

TEST(what_is_held_is_bounded_by_connection) {
    Shared shared(settings(with(&Limits::held_bytes, 10 * message_overhead)));
    Caller caller(shared, 1), neighbour(shared, 2);
    for (int count = 0; count < 10; ++count) CHECK(!caller.echo("").has_ended());
    CHECK(caller.said(caller.echo("")) == "room");
    CHECK(!neighbour.echo("").has_ended());
}

TEST(what_is_held_is_bounded_in_all_at_the_cost_of_the_greediest_network) {
    Shared shared(settings(with(&Limits::held_total_bytes, 100'000)));
    Caller one(shared, 1, "greedy"), other(shared, 2, "greedy"), polite(shared, 3, "polite");
    const std::string torn = framed(std::string(30'000, 'x')).substr(0, 30'000);
    Call& smaller = one.call("/t/Row", torn, false);
    Call& larger = other.call("/t/Row", torn + "x", false);
    Call& kept = polite.call("/t/Row", framed(std::string(45'000, 'y')), false);
    shared.shed();
    CHECK(other.said(larger) == "room" && !smaller.has_ended() && !kept.has_ended());
}

TEST(a_message_that_stands_still_ends) {
    Shared shared(settings());
    Caller caller(shared, 1);
    Call& whole = caller.call("/t/Row", framed("whole"), false);
    Call& stalled = caller.call("/t/Row", framed("torn").substr(0, 6), false);
    shared.end_stalled(now() + 9);
    CHECK(!stalled.has_ended());
    shared.end_stalled(now() + 11);
    CHECK(caller.said(stalled) == "slow" && !whole.has_ended());
}

TEST(who_reads_no_answers_gets_no_more) {
    Limits limits = with(&Limits::unread_bytes, 50);
    limits.stall_s = 1;
    Shared shared(settings(limits));
    Caller deaf(shared, 1), polite(shared, 2);
    Call& unread = deaf.echo("x");
    answer(shared, take_messages(shared, shared.lines.metered, 1), std::string(60, 'y'));
    CHECK(deaf.said(deaf.echo("x")) == "unread" && !polite.echo("x").has_ended());
    deaf.peer.end_stalled_calls(now());
    CHECK(!deaf.is_reset(unread));
    deaf.peer.end_stalled_calls(now() + 2);
    CHECK(deaf.is_reset(unread));
}

TEST(a_network_watches_as_often_as_there_may_be_connections) {
    Shared shared(settings(with(&Limits::max_connections, 2)));
    Caller greedy(shared, 1, "greedy"), polite(shared, 2, "polite");
    const auto watch = [](Caller& caller) -> Call& { return caller.call("/grpc.health.v1.Health/Watch", framed("")); };
    Call& first = watch(greedy);
    watch(greedy);
    CHECK(greedy.said(watch(greedy)) == "crowded" && !watch(polite).has_ended());
    CHECK(shared.watchers.size() == 3 && greedy.read(first) == framed("\x08\x02"));
    shared.set_serving(true, {""});
    CHECK(greedy.read(first) == framed("\x08\x02") + framed("\x08\x01"));
    greedy.close(first);
    CHECK(shared.watchers.size() == 2 && !watch(greedy).has_ended());
}
