// Whose turn it is, who is late, and what budgets, entries, times and keys hold to.
#include <algorithm>
#include <cmath>
#include <list>
#include <memory>
#include <sstream>
#include <string>

#include "../../transport/clock.hpp"
#include "../../transport/codec_embed.hpp"
#include "../../transport/entry.hpp"
#include "../../transport/keys.hpp"
#include "units.hpp"
#include "waiting.hpp"

using namespace transport;

using namespace units;

constexpr std::size_t much = 10'000;  // bytes of what takes far longer than anybody saves

TEST(a_callers_first_stands_before_anothers_second) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 1000; ++count) waiting.put(line, 1, 10);
    waiting.put(line, 2, 10);
    CHECK(waiting.take_messages(line, 2) == "12");
    waiting.put(line, 2, 10);
    CHECK(waiting.take_messages(line, 3).find('2') != std::string::npos);
}

TEST(a_newcomer_stands_where_the_line_is_now) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 10; ++count) waiting.put(line, 1, much);
    CHECK(waiting.take_messages(line, 6) == "111111");
    for (int count = 0; count < 4; ++count) waiting.put(line, 2, much);
    CHECK(waiting.take_messages(line, 5) == "22121");
}

TEST(turns_are_by_work) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 40; ++count) waiting.put(line, 1, much);
    std::string turns;
    waiting.put(line, 2, 9 * much);
    while (turns.size() < 30) {
        turns += waiting.take_messages(line, 1);
        if (turns.back() == '2') waiting.put(line, 2, 9 * much);
    }
    const auto long_ones = std::count(turns.begin(), turns.end(), '2');
    CHECK(long_ones == 3 || long_ones == 4);
}

TEST(a_network_of_many_callers_has_one_networks_turns) {
    Line line;
    Waiting waiting;
    for (int caller = 1; caller <= 8; ++caller)
        for (int count = 0; count < 10; ++count) waiting.put(line, std::uint64_t(caller), 10, never, false, "many");
    for (int count = 0; count < 10; ++count) waiting.put(line, 9, 10, never, false, "one");
    const std::string turns = waiting.take_messages(line, 20);
    CHECK(std::count(turns.begin(), turns.end(), '9') == 10);
    std::string of_many = turns;
    std::erase(of_many, '9');
    CHECK(of_many.substr(0, 8) == "12345678");  // who share what their network has
}

TEST(what_something_took_is_charged_in_place_of_what_was_expected) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 6; ++count) waiting.put(line, 1, 10), waiting.put(line, 2, 10);
    CHECK(waiting.take_messages(line, 2) == "12");
    waiting.account(1).charge(3 * work_of(10));  // it was four times as costly
    CHECK(waiting.take_messages(line, 5) == "22212");
}

TEST(estimates_follow_what_a_callers_requests_took_or_its_networks) {
    Waiting waiting;
    CHECK(waiting.account(1).estimate(36) == work_of(36));
    waiting.account(1).took(36, 0.5);
    CHECK(waiting.account(1).estimate(36) == 0.5 && waiting.account(2).estimate(136) == 1);
    CHECK(waiting.account(3, "another").estimate(36) == 0.5);  // of all, where nothing else is known
    waiting.account(3, "another").took(36, 0.1);
    CHECK(waiting.account(1).estimate(36) == 0.5);
}

TEST(who_wanted_nothing_has_saved_no_more_than_what_it_takes_to_come) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 20; ++count) waiting.put(line, 1, much);
    CHECK(waiting.take_messages(line, 10) == "1111111111");
    for (int count = 0; count < 10; ++count) waiting.put(line, 2, much);
    CHECK(waiting.take_messages(line, 7) == "2212121");
}

TEST(nobody_has_had_more_of_what_nobody_waited_for) {
    Line line;
    Waiting waiting;
    waiting.put(line, 1, 10 * much);
    CHECK(waiting.take_messages(line, 1) == "1");
    for (int count = 0; count < 4; ++count) waiting.put(line, 1, much), waiting.put(line, 2, much);
    CHECK(waiting.take_messages(line, 4) == "2121");
}

TEST(turns_are_of_all_lines_together) {
    Line line, other;
    Waiting waiting;
    for (int count = 0; count < 9; ++count)
        waiting.put(line, 1, 10), waiting.put(line, 2, 10), waiting.put(other, 1, 1000);
    CHECK(waiting.take_messages(other, 1) == "1");
    CHECK(waiting.take_messages(line, 9) == "222222222");
}

TEST(a_message_that_leaves_gives_its_callers_next_its_turn) {
    Line line;
    Waiting waiting;
    waiting.put(line, 1, 10);
    Message& left = waiting.put(line, 1, 10'000);
    line.remove(left);
    waiting.put(line, 1, 10);
    waiting.put(line, 2, 200);
    waiting.put(line, 2, 10);
    CHECK(waiting.take_messages(line, 4) == "1212");
    CHECK(line.work() == 0 && line.size() == 0);
}

TEST(nobody_is_late_by_their_own_work) {
    Waiting waiting;
    Lines lines;
    double time = 0;
    waiting.put(lines.metered, 1, 4);
    waiting.put(lines.metered, 1, 4);
    pace(lines.metered, time, work_of(4), 10);
    move(lines.metered, time, 10);
    waiting.put(lines.metered, 2, 100'000, 150);
    CHECK(lines.late(lines.metered) == nullptr && !lines.is_late(lines.metered, waiting.account(3), 150));
    Message& next = waiting.put(lines.metered, 2, 4, 150);
    CHECK(lines.late(lines.metered) == &next);
}

TEST(who_is_let_in_is_not_refused_for_those_who_come_soon_after) {
    Waiting waiting;
    Lines lines;
    double time = 0;
    waiting.put(lines.metered, 2, 100, 60);
    pace(lines.metered, time, work_of(100), 1);
    while (lines.metered.size() < 100 && !lines.is_late(lines.metered, waiting.account(2), 60))
        waiting.put(lines.metered, 2, 100, 60);
    CHECK(lines.metered.size() > 35 && lines.metered.size() < 50);
    for (int count = 0; count < 10; ++count) waiting.put(lines.metered, 1, 100, 60);
    CHECK(lines.late(lines.metered) == nullptr);
    for (int count = 0; count < 30; ++count) waiting.put(lines.metered, 1, 100, 60);
    CHECK(lines.late(lines.metered) != nullptr);
}

TEST(who_is_many_makes_nobody_else_late) {
    Waiting waiting;
    Lines lines;
    double time = 0;
    for (int count = 0; count < 600; ++count) waiting.put(lines.metered, 1, 100);
    pace(lines.metered, time, work_of(100), 1);
    CHECK(lines.is_late(lines.metered, waiting.account(1), 60));
    CHECK(!lines.is_late(lines.metered, waiting.account(2), 60));
    CHECK(!lines.is_late(lines.metered, waiting.account(2, "another"), 60));
}

TEST(who_is_late_counts_the_networks_before_its_own) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (std::uint64_t caller = 1; caller <= 4; ++caller)
        for (int count = 0; count < 3; ++count)
            waiting.put(line, caller, 136, never, false, caller == 4 ? "one" : "many");
    pace(line, time, work_of(136), 1);
    CHECK(std::abs(line.wait_s(waiting.account(4, "one")) - 6) < 0.01);  // three of its own, and as many of the others
    CHECK(std::abs(line.wait_s(waiting.account(5, "one"))) < 0.01);  // nothing of its own stands before its first
    CHECK(std::abs(line.wait_s(waiting.account(1, "many")) - 12) < 0.01);
}

TEST(a_line_that_stood_still_once_is_not_slow) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 400; ++count) waiting.put(line, 1, 100);
    for (int count = 0; count < 20; ++count) {
        line.moved(line.take_message()->work, time);
        time += 0.001;
    }
    const double usual = line.wait_s();
    time += 1.5;
    line.moved(0, time);  // whoever is busy looks, and wants nothing
    CHECK(line.wait_s() == usual);
    line.moved(line.take_message()->work, time);
    CHECK(line.wait_s() < 400);
}

TEST(who_was_stopped_is_not_taken_for_slow) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 400; ++count) waiting.put(line, 1, 100);
    pace(line, time, work_of(100), 0.001);
    const double usual = line.wait_s();
    time += 5;
    line.moved(line.take_message()->work, time);
    CHECK(line.wait_s() < 10 * usual);
    pace(line, time, work_of(100), 1);
    CHECK(line.wait_s() > 300 * usual);  // it is: the process is stopped again and again
}

TEST(nobody_pays_for_a_pause_of_the_process) {
    Price price;
    for (int count = 0; count < 20; ++count) price.note(1, 1e-4);
    price.note(1, 2);
    CHECK(price.of(1) < 2e-4);
    for (int count = 0; count < 60; ++count) price.note(1, 2);
    CHECK(price.of(1) > 1.9);  // it has become dearer
    const Price known{1e-4, true};
    CHECK(known.capped(1, 2, 8) < 1e-3);  // what is usual is known before the first
}

TEST(one_pause_at_the_beginning_is_not_all_that_is_known_of_a_line) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 200; ++count) waiting.put(line, 1, 30);
    move(line, time, 1.5);
    CHECK(line.wait_s() > 0 && line.wait_s() < 5);
    pace(line, time, work_of(30), 1.5);
    CHECK(line.wait_s() > 200);  // one that goes on like that is slow
}

TEST(what_is_costly_leaves_its_turn_where_it_may_not_be_taken) {
    Line line;
    Waiting waiting;
    Message& slow = waiting.put(line, 1, 10);
    line.set_apart(slow);
    slow.is_costly = true;
    line.put_back(slow);
    Message& quick = waiting.put(line, 2, 10);
    CHECK(line.first() == &slow && line.first({.begin = true, .costly = false}) == &quick && line.has_costly());
    line.remove(quick);
    CHECK(line.first({.begin = true, .costly = false}) == nullptr);
    line.remove(slow);
    CHECK(!line.has_costly() && line.work() == 0);
}

TEST(small_requests_of_a_method_that_has_a_codec_wait_apart) {
    Lines lines;
    lines.set_small(1, std::make_shared<EmbedCodec>(NamedModels({{{""}, "", ""}}), Status{}), 10, 2, 3, 1000);
    VirtualTime turns;
    TurnClock clock{turns};
    Account account(clock);
    Message message;
    message.account = &account;
    const auto line_of = [&](std::string_view content, bool may_be_small = true) {
        message.content = content;
        message.size = content.size();
        message.is_long = false;
        return &lines.choose(message, 1, may_be_small);
    };
    CHECK(line_of("\n\1a\n\1b") == &lines.small);
    CHECK(line_of("\n\1a\n\1b", false) == &lines.metered);
    CHECK(!message.is_long);
    CHECK(message.listed == 2 && message.expected == 2000);
    CHECK(line_of("\n\1a\n\1b\n\1c") == &lines.small && message.is_long);  // of many sentences
    CHECK(line_of("\n\x09"
                  "123456789") == &lines.small &&
          message.is_long);  // of many bytes
    CHECK(line_of("\n\1a\n\1b\n\1c\n\1d") == &lines.metered && !message.is_long);  // too many sentences
    CHECK(line_of("\n\1a\x10\1") == &lines.small);  // an option
    CHECK(line_of("\x10\1") == &lines.small);  // nothing to embed
    CHECK(line_of("\n\1a\x20\1") == &lines.metered);  // a size that the model doesn't offer
    CHECK(line_of("\n\1a\x30\1") == &lines.metered);  // a field that isn't known
    message.is_compressed = true;
    CHECK(line_of("\n\1a") == &lines.small && message.is_long);  // nobody knows yet of how many
    CHECK(line_of("\n\1a", false) == &lines.metered);
}

TEST(a_holders_budget_counts_in_the_whole_until_it_goes) {
    Budget all(10);
    {
        Budget network(unlimited, &all), call(3, &network), other(3, &network);
        call.use(4);
        other.use(6);
        CHECK(call.is_exceeded() && all.is_full() && !all.is_exceeded());
        other.use(1);
        CHECK(all.is_exceeded() && network.used() == 11);
        call.give_back(2);
        CHECK(!call.is_full() && all.used() == 9);
    }
    CHECK(all.used() == 0);
}

TEST(an_entry_leaves_with_its_owner) {
    std::list<int> numbers;
    {
        Entry<std::list<int>> first, second;
        first.stand_for(numbers, numbers.insert(numbers.end(), 1));
        second.stand_for(numbers, numbers.insert(numbers.end(), 2));
        first.stand_for(numbers, numbers.insert(numbers.end(), 3));
        CHECK(numbers == std::list<int>({2, 3}));
        second.leave();
        second.leave();
        CHECK(!second && first && numbers.size() == 1);
    }
    CHECK(numbers.empty());
}

TEST(what_is_due_is_looked_at_no_later) {
    DueTime all, one(&all);
    one.by(5);
    one.by(7);
    CHECK(one.time() == 5 && all.time() == 5);
    one.clear();
    CHECK(one.has_come(3, 4) && !one.has_come(6, 4));
    CHECK(one.time() == 6 && all.time() == 5);
}

TEST(a_key_is_what_stands_after_its_scheme) {
    KeyDigest digest;
    const std::string key = digest.of("Bearer one");
    for (const char* same : {"bearer one", "BEARER  one", "bearer one ", "Bearer one"}) CHECK(digest.of(same) == key);
    for (const char* other : {"Basic one", "Bearer onex", "Bearer one two", "Bearer", "", "Bearer two"})
        CHECK(digest.of(other) != key);
    CHECK(caller_of(key) >> 63 == 1 && caller_of(key) != caller_of(digest.of("Bearer two")));
}

TEST(turns_come_as_they_are_written) {
    constexpr std::string_view cases =
#include "turns.txt"
        ;
    std::istringstream lines{std::string(cases)};
    auto line = std::make_unique<Line>();
    auto waiting = std::make_unique<Waiting>();
    for (std::string text; std::getline(lines, text);) {
        std::istringstream words(text);
        std::string what, network;
        std::uint64_t caller = 0;
        double ms = 0;
        words >> what;
        if (what.empty()) {
            while (line->size() > 0) line->take_message();
            line = std::make_unique<Line>();
            waiting = std::make_unique<Waiting>();
        } else if (what == "put" && words >> network >> caller >> ms) {
            waiting->put(*line, caller, 1, never, false, network, ms / 1000);
        } else if (what == "charge" && words >> network >> caller >> ms) {
            waiting->account(caller, network).charge(ms / 1000);
        } else if (what == "take" && words >> network) {
            CHECK(waiting->take_messages(*line, network.size()) == network);
        } else {
            CHECK(what.starts_with('#'));
        }
    }
}

TEST(ever_new_networks_have_one_turn_together) {
    constexpr double list_s = 0.005;
    constexpr std::size_t at_once = 64, networks = 10'000;
    Waiting waiting;
    Line line;
    waiting.account(1, "old").charge(0.1);
    std::size_t begun = 0;
    const auto put = [&](const std::string& network) { waiting.put(line, 1, 100, never, false, network, list_s); };
    const auto put_new = [&] { put("new " + std::to_string(++begun)); };
    put("old");
    while (begun < at_once) put_new();
    std::size_t of_old = 0, of_new = 0, in_a_row = 0, longest = 0;
    while (of_new < networks) {
        const bool is_old = line.take_message()->account == &waiting.account(1, "old");
        ++(is_old ? of_old : of_new);
        in_a_row = is_old ? 0 : in_a_row + 1;
        if (of_new > 2 * at_once) longest = std::max(longest, in_a_row);
        is_old ? put("old") : put_new();
    }
    CHECK(of_old >= networks - 2 * at_once && longest <= 2);
}
