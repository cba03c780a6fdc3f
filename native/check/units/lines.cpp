// Whose turn it is, who is late, and what budgets, entries, times and keys hold to.
#include <algorithm>
#include <list>
#include <memory>

#include "../../transport/clock.hpp"
#include "../../transport/codec_embed.hpp"
#include "../../transport/entry.hpp"
#include "../../transport/keys.hpp"
#include "units.hpp"
#include "waiting.hpp"

using namespace transport;

using namespace units;

TEST(a_callers_first_stands_before_anothers_second) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 1000; ++count) waiting.put(line, 1, 10);
    waiting.put(line, 2, 10);
    CHECK(callers(line, 2) == "12");
    waiting.put(line, 2, 10);
    CHECK(callers(line, 3).find('2') != std::string::npos);
}

TEST(a_newcomer_stands_where_the_line_is_now) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 10; ++count) waiting.put(line, 1, 4);
    CHECK(callers(line, 6) == "111111");
    for (int count = 0; count < 4; ++count) waiting.put(line, 2, 4);
    CHECK(callers(line, 5) == "21212");
}

TEST(turns_are_by_bytes) {
    Line line;
    Waiting waiting;
    for (int count = 0; count < 40; ++count) waiting.put(line, 1, 1000);
    std::string turns;
    waiting.put(line, 2, 9000);
    while (turns.size() < 30) {
        turns += callers(line, 1);
        if (turns.back() == '2') waiting.put(line, 2, 9000);
    }
    const auto long_ones = std::count(turns.begin(), turns.end(), '2');
    CHECK(long_ones == 3 || long_ones == 4);
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
    CHECK(callers(line, 4) == "1212");
    CHECK(line.bytes() == 0 && line.size() == 0);
}

TEST(nobody_is_late_by_their_own_work) {
    Lines lines;
    Waiting waiting;
    double time = 0;
    waiting.put(lines.metered, 1, 4);
    waiting.put(lines.metered, 1, 4);
    pace(lines.metered, time, 4, 10);
    move(lines.metered, time, 10);
    waiting.put(lines.metered, 2, 100'000, 150);
    CHECK(lines.late(lines.metered) == nullptr && !lines.is_late(lines.metered, 3, 150));
    Message& next = waiting.put(lines.metered, 2, 4, 150);
    CHECK(lines.late(lines.metered) == &next);
}

TEST(who_is_many_makes_nobody_else_late) {
    Lines lines;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 600; ++count) waiting.put(lines.metered, 1, 100);
    pace(lines.metered, time, 100, 1);
    CHECK(lines.is_late(lines.metered, 1, 60));
    CHECK(!lines.is_late(lines.metered, 2, 60));
    lines.set_queue(now() + 3600);
    CHECK(lines.is_late(lines.metered, 2, 60));
    CHECK(!lines.is_late(lines.small, 2, 60));  // what Python has taken keeps no small one waiting
    lines.set_queue(now());  // it is over, though nobody has told another time since
    CHECK(!lines.is_late(lines.metered, 2, 60));
}

TEST(a_line_that_stood_still_once_is_not_slow) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 400; ++count) waiting.put(line, 1, 100);
    for (int count = 0; count < 20; ++count) {
        line.moved(line.take_message()->size, time);
        time += 0.001;
    }
    const double usual = line.wait_s();
    time += 1.5;
    line.moved(0, time);  // whoever is busy looks, and wants nothing
    CHECK(line.wait_s() == usual);
    line.moved(line.take_message()->size, time);
    CHECK(line.wait_s() < 400);
}

TEST(one_pause_at_the_beginning_is_not_all_that_is_known_of_a_line) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 200; ++count) waiting.put(line, 1, 30);
    move(line, time, 1.5);
    CHECK(line.wait_s() > 0 && line.wait_s() < 5);
    pace(line, time, 30, 1.5);
    CHECK(line.wait_s() > 200);  // one that goes on like that is slow
}

TEST(small_requests_of_a_method_that_has_a_codec_wait_apart) {
    Lines lines;
    lines.set_small(1, std::make_shared<EmbedCodec>(NamedModels({{{""}, "", ""}}), Status{}), 10, 2, 3);
    Message message;
    const auto line_of = [&](std::string_view content, bool may_be_small = true) {
        message.content = content;
        message.size = content.size();
        message.is_long = false;
        return &lines.choose(message, 1, may_be_small);
    };
    CHECK(line_of("\n\1a\n\1b") == &lines.small);
    CHECK(line_of("\n\1a\n\1b", false) == &lines.metered);
    CHECK(!message.is_long);
    CHECK(line_of("\n\1a\n\1b\n\1c") == &lines.small && message.is_long);  // of many sentences
    CHECK(line_of("\n\x09"
                  "123456789") == &lines.small && message.is_long);                              // of many bytes
    CHECK(line_of("\n\1a\n\1b\n\1c\n\1d") == &lines.metered && !message.is_long);  // too many sentences
    CHECK(line_of("\n\1a\x10\1") == &lines.small);   // an option
    CHECK(line_of("\x10\1") == &lines.small);        // nothing to embed
    CHECK(line_of("\n\1a\x20\1") == &lines.metered);  // a size that the model doesn't offer
    CHECK(line_of("\n\1a\x30\1") == &lines.metered);  // a field that isn't known
    message.is_compressed = true;
    CHECK(line_of("\n\1a") == &lines.small && message.is_long);  // nobody knows yet of how many
    CHECK(line_of("\n\1a", false) == &lines.metered);
}

TEST(a_holders_budget_counts_in_the_whole_until_it_goes) {
    Budget all(10);
    {
        Budget network(Budget::unlimited, &all), call(3, &network), other(3, &network);
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
