// Whose turn it is between the slices of long messages.
#include <cmath>
#include <memory>

#include "../../transport/job.hpp"
#include "waiting.hpp"

using namespace transport;

using namespace units;

TEST(others_have_turns_between_the_slices_of_a_long_message) {
    Line line;
    Waiting waiting;
    Message& list = waiting.put(line, 1, 100);
    waiting.put(line, 1, 5);
    line.take_slice(list, 40);
    waiting.put(line, 2, 10);
    CHECK(line.first()->caller == 2 && line.bytes() == 75);
    CHECK(callers(line, 1) == "2");
    line.take_slice(list, 40);
    CHECK(line.waiting(1) == 60 + 64 - 40 + 5 + 64);
    line.take(list);
    CHECK(callers(line, 1) == "1" && line.size() == 0 && line.bytes() == 0);
}

TEST(a_long_message_that_was_taken_in_part_leaves_its_callers_next_its_turn) {
    Line line;
    Waiting waiting;
    waiting.put(line, 2, 5000);
    Message& list = waiting.put(line, 1, 10'000);
    line.take_slice(list, 40);
    line.remove(list);
    CHECK(waiting.put(line, 1, 10).tag == 40);
    CHECK(callers(line, 2) == "21" && line.bytes() == 0);
}

TEST(long_messages_are_begun_only_where_they_may_be) {
    Line line;
    Waiting waiting;
    Message& list = waiting.put(line, 1, 10, never, true);
    CHECK(line.first(false) == nullptr && line.first() == &list && line.last() == &list && line.size() == 1);
    Message& single = waiting.put(line, 2, 10);
    CHECK(line.first(false) == &single && line.first() == &list && line.last() == &single);
    line.set_apart(list);
    CHECK(line.size() == 1 && line.bytes() == 20 && line.waiting(1) > 0);
    list.job = std::make_shared<Job>(1, Taken{});
    line.put_back(list);
    CHECK(line.first(false) == &list);
    line.remove(list);
    CHECK(line.bytes() == 10 && line.waiting(1) == 0);
}

TEST(how_long_a_list_will_take_counts_its_own_work) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 3; ++count) waiting.put(line, 1, 1000);
    move(line, time, 1);
    pace(line, time, 1000, 1);
    CHECK(line.served_s(2, 0) == 0);
    CHECK(std::abs(line.served_s(2, 1500) - (2 * 436 + 1500) / 1000.0) < 0.01);
    CHECK(std::abs(line.served_s(2, 5000) - (2 * 1064 + 5000) / 1000.0) < 0.01);  // no more than there is stands before it
}
