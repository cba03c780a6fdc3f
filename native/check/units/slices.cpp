// Whose turn it is between the slices of long messages.
#include <cmath>
#include <memory>

#include "../../transport/job.hpp"
#include "waiting.hpp"

using namespace transport;

using namespace units;

static bool is_about(double one, double other) { return std::abs(one - other) < 1e-9; }

TEST(others_have_turns_between_the_slices_of_a_long_message) {
    Line line;
    Waiting waiting;
    Message& list = waiting.put(line, 1, 100);
    waiting.put(line, 1, 5);
    line.take_slice(list, 40e-6);
    waiting.put(line, 2, 10);
    CHECK(waiting.caller_of(*line.first()) == 2 &&
          is_about(line.work(), work_of(100) + work_of(5) + work_of(10) - 40e-6));
    CHECK(waiting.take_messages(line, 1) == "2");
    line.take_slice(list, 40e-6);
    CHECK(is_about(line.waiting(waiting.account(1)), work_of(100) + work_of(5) - 80e-6));
    line.take(list);
    CHECK(waiting.take_messages(line, 1) == "1" && line.size() == 0 && line.work() == 0);
}

TEST(a_long_message_that_was_taken_in_part_leaves_its_callers_next_its_turn) {
    Line line;
    Waiting waiting;
    waiting.put(line, 2, 5000);
    Message& list = waiting.put(line, 1, 10'000);
    line.take_slice(list, 40e-6);
    line.remove(list);
    waiting.put(line, 1, 10);
    CHECK(waiting.take_messages(line, 2) == "21" && line.work() == 0);
}

TEST(a_long_message_costs_what_it_is_found_to_take) {
    Line line;
    Waiting waiting;
    Message& list = waiting.put(line, 1, 100, never, true);
    waiting.put(line, 2, 10);
    line.set_apart(list);
    list.job = std::make_shared<Job>(1, TakenMessage{});
    line.estimate_anew(list, 2);
    CHECK(is_about(line.work(), 2 + work_of(10)));
    line.put_back(list);
    line.take_slice(list, 0.5);
    CHECK(waiting.caller_of(*line.first()) == 2 && is_about(list.left, 1.5));
    line.remove(list);
    CHECK(is_about(line.work(), work_of(10)));
}

TEST(long_messages_are_begun_only_where_they_may_be) {
    Line line;
    Waiting waiting;
    const Allowed not_begun{.begin = false, .costly = true};
    Message& list = waiting.put(line, 1, 10, never, true);
    CHECK(line.first(not_begun) == nullptr && line.first() == &list && line.last() == &list && line.size() == 1);
    Message& single = waiting.put(line, 2, 10);
    CHECK(line.first(not_begun) == &single && line.first() == &list && line.last() == &single);
    line.set_apart(list);
    CHECK(line.size() == 1 && is_about(line.work(), 2 * work_of(10)) && line.waiting(waiting.account(1)) > 0);
    list.job = std::make_shared<Job>(1, TakenMessage{});
    line.put_back(list);
    CHECK(line.first(not_begun) == &list);
    line.remove(list);
    CHECK(is_about(line.work(), work_of(10)) && line.waiting(waiting.account(1)) == 0);
}

TEST(how_long_a_list_will_take_counts_its_own_work) {
    Line line;
    Waiting waiting;
    double time = 0;
    for (int count = 0; count < 3; ++count) waiting.put(line, 1, 936);
    move(line, time, 1);
    pace(line, time, 0.001, 1);
    const Account& caller = waiting.account(2);
    CHECK(std::abs(line.served_s(caller, 0)) < 0.01);
    CHECK(std::abs(line.served_s(caller, 0.002) - (2 * 0.5 + 2)) < 0.01);
    CHECK(std::abs(line.served_s(caller, 0.005) - (2 * 1 + 5)) < 0.01);  // no more than there is stands before it
}
