// What was decided stands in a ring: once for all that is alike, and with no more room than it had.
#include "../../transport/proxies.hpp"
#include "units.hpp"

using namespace transport;
using namespace units;

/// ASan's own (sanitizer/allocator_interface.h, which not every GCC brings).
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));

namespace {

std::size_t allocations = 0;

/// Notes `count` events of as many networks: none is like another.
void note_others(Events& events, std::size_t count, double time) {
    for (std::size_t number = 0; number < count; ++number) {
        const std::array<char, 4> address{10, char(number >> 16), char(number >> 8), char(number)};
        events.note(EventKind::left, {address.data(), address.size()}, number, 0, Refusal::none, time);
    }
}

const Event* found(const std::vector<Event>& events, EventKind kind, Refusal refusal = Refusal::none) {
    const auto is_it = [&](const Event& event) { return event.kind == kind && event.refusal == refusal; };
    const auto at = std::find_if(events.begin(), events.end(), is_it);
    return at == events.end() ? nullptr : &*at;
}

}  // namespace

TEST(a_flood_of_refusals_is_one_entry) {
    Events events;
    events.note(EventKind::accepted, "abcd", 1, 0, Refusal::none, 5);
    for (int count = 0; count < 5000; ++count) {
        events.note(EventKind::call_refused, "abcd", 1, 0, Refusal::no_key, 10 + 0.01 * count);
        events.note(EventKind::rested_refused, "abcd", 1, 0, Refusal::none, 10 + 0.01 * count);
    }
    events.note(EventKind::call_refused, "abcd", 2, 0, Refusal::no_key, 70);
    const std::vector<Event> all = events.list(false);
    CHECK(all.size() == 3 && all.front().kind == EventKind::accepted);
    const Event& refused = all.back();
    CHECK(refused.count == 5001 && refused.first == 10 && refused.last == 70 && refused.connection == 2);
}

TEST(what_differs_in_anything_is_an_entry_of_its_own) {
    Events events;
    events.note(EventKind::call_refused, "abcd", 1, 0, Refusal::full, 1);
    events.note(EventKind::call_refused, "abcd", 1, 0, Refusal::room, 1);
    events.note(EventKind::call_ended, "abcd", 1, 0, Refusal::room, 1);
    events.note(EventKind::call_ended, "abcd", 1, 1, Refusal::room, 1);
    events.note(EventKind::call_ended, "abce", 1, 1, Refusal::room, 1);
    events.note(EventKind::call_ended, "abce", 1, 1, Refusal::room, 2 + Events::in_a_row_s);
    CHECK(events.list(false).size() == 6);
}

TEST(the_ring_holds_the_last_and_allocates_nothing) {
    Events events;
    events.note(EventKind::accepted, "abcd", 1, 0, Refusal::none, 1);
    const auto count = [](const volatile void*, std::size_t) { ++allocations; };
    __sanitizer_install_malloc_and_free_hooks(count, [](const volatile void*) {});
    allocations = 0;
    note_others(events, Events::max_events + 5, 1);
    CHECK(allocations == 0);
    const std::vector<Event> all = events.list(false);
    CHECK(allocations > 0);  // it is counted
    CHECK(all.size() == Events::max_events && !found(all, EventKind::accepted));
    CHECK(all.front().connection == 5 && all.back().connection == Events::max_events + 4);
    CHECK(sizeof(Event) * Events::max_events <= 64 << 10);
}

TEST(what_is_new_is_told_once) {
    Events events;
    CHECK(events.list(true).empty());
    events.note(EventKind::accepted, "abcd", 1, 0, Refusal::none, 1);
    events.note(EventKind::accepted, "abcd", 2, 0, Refusal::none, 1);
    events.note(EventKind::left, "abcd", 1, 0, Refusal::none, 1);
    CHECK(events.list(true).size() == 2 && events.list(true).empty() && events.list(false).size() == 2);
    events.note(EventKind::accepted, "abcd", 3, 0, Refusal::none, 1);
    const std::vector<Event> news = events.list(true);
    CHECK(news.size() == 1 && news[0].count == 3);  // with those that were told before
}

TEST(a_call_leaves_an_event_where_it_is_refused_and_none_where_it_is_answered) {
    Shared shared(settings(with(&Limits::max_concurrent_requests, 1)));
    Caller caller(shared, 7, "abcd");
    Call& first = caller.echo("x");
    answer(shared, take_messages(shared, shared.lines.metered, 1), "y");
    caller.read(first);
    CHECK(shared.events.list(false).empty());
    caller.echo("x");
    caller.echo("x");
    const std::vector<Event> all = shared.events.list(false);
    const Event* const refused = found(all, EventKind::call_refused, Refusal::full);
    CHECK(all.size() == 1 && refused && refused->network() == "abcd" && refused->connection == 7);
}

TEST(who_gives_way_and_who_is_late_had_been_let_in) {
    Shared shared(settings(with(&Limits::max_concurrent_requests, 2)));
    Caller greedy(shared, 1, "many"), polite(shared, 2, "one");
    greedy.echo("x");
    greedy.call("/t/Unary", "", false);
    polite.echo("x");
    Call& timed = polite.call("/t/Row", framed("row"), false, {{"grpc-timeout", "1S"}});
    shared.end_expired(now() + 2);
    const std::vector<Event> all = shared.events.list(false);
    const Event* const left = found(all, EventKind::call_ended, Refusal::full);
    const Event* const late = found(all, EventKind::call_expired);
    CHECK(left && left->network() == "many");
    CHECK(timed.has_ended() && late && late->network() == "one");
}

TEST(no_more_of_a_network_is_kept_than_its_prefix) {
    Events events;
    events.note(EventKind::accepted, network_of(std::string("\x20\x01\x0d\xb8\0\1\0\2host-8-b", 16)), 1, 0);
    events.note(EventKind::accepted, std::string("\x20\x01\x0d\xb8\0\1\0\2host-8-b", 16), 1, 0);
    CHECK(events.list(false).size() == 1 &&
          events.list(false)[0].network() == std::string_view("\x20\x01\x0d\xb8\0\1\0\2", 8));
}
