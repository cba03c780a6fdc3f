// What shards share: bounds that each leases a part of, time that passes for all, networks and keys that are one
// wherever they call, whom a full server ends in whichever shard, and threads that sleep until there is something.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include "../../transport/sleepers.hpp"
#include "waiting.hpp"

using namespace transport;
using namespace units;

namespace {

constexpr std::uint64_t of_key = std::uint64_t(1) << 63;  // among callers' numbers

/// Two shards of one transport, each of which reaches the other.
struct Joined {
    explicit Joined(const Limits& limits) : Joined(std::make_shared<Totals>(two(limits))) {}

    std::shared_ptr<Totals> all;
    Shared one, other;
    std::size_t visits = 0;

private:
    explicit Joined(std::shared_ptr<Totals> totals) : all(std::move(totals)), one(all, 0), other(all, 1) {
        one.in_others = [this](const Shared::Act& act) { return ++visits, act(other); };
        other.in_others = [this](const Shared::Act& act) { return ++visits, act(one); };
    }

    static TransportSettings two(Limits limits) {
        limits.transport_shards = 2;
        return settings(limits);
    }
};

/// Shards that wait in turn, for a property that holds whatever they do.
struct Clocks {
    explicit Clocks(std::size_t shards) : all(shards) {
        for (std::size_t shard = 0; shard < shards; ++shard) clocks.emplace_back(all, shard);
    }

    VirtualTime all;
    std::list<TurnClock> clocks;
};

Event event_of(EventKind kind, std::uint64_t connection, double first, double last, std::uint64_t count = 1) {
    return {.connection = connection,
            .count = count,
            .change = 1,
            .first = first,
            .last = last,
            .prefix = {'a'},
            .prefix_size = 1,
            .listener = 0,
            .kind = kind,
            .refusal = Refusal::none};
}

}  // namespace

TEST(a_pool_says_no_less_than_is_used_and_gets_everything_back) {
    constexpr std::size_t block = 10;
    Pool whole(unlimited, block), part;
    std::size_t of_last = 0;
    {
        Budget one(whole), other(whole), third(whole);
        Budget of_one(part, &one), of_other(part, &other), of_third(part, &third);  // of a network, say, in each shard
        const std::array<Budget*, 3> budgets{&of_one, &of_other, &of_third};
        std::array<std::size_t, 3> used{};
        std::minstd_rand random(1);
        for (int count = 0; count < 5000; ++count) {
            const std::size_t which = random() % 3, amount = random() % 35;
            const bool gives_back = random() % 2;
            Budget& budget = *budgets[which];
            if (gives_back && amount <= used[which]) budget.give_back(amount), used[which] -= amount;
            else if (!gives_back) budget.use(amount), used[which] += amount;
            const std::size_t sum = used[0] + used[1] + used[2];
            CHECK(whole.used() >= sum && whole.used() <= sum + 3 * 2 * block);
            CHECK(one.used() >= sum && one.used() <= whole.used() && one.used_here() == used[0]);
            CHECK(part.used() == sum && of_one.used() == sum);  // what is leased one by one is exact
        }
        of_one.give_back(used[0]);
        of_other.give_back(used[1]);
        of_last = used[2];
        CHECK(third.used() == of_last && part.used() == of_last);
    }
    CHECK(of_last > 0 && whole.used() == 0 && part.used() == 0);
}

TEST(a_bound_holds_over_all_who_lease_of_it) {
    constexpr std::size_t limit = 1000, block = 16;
    Pool pool(limit, block);
    Budget one(pool), other(pool);
    std::size_t sum = 0;
    for (Budget* budget = &one; budget->has_room_for(7); budget = budget == &one ? &other : &one) {
        budget->use(7);
        sum += 7;
    }
    CHECK(sum <= limit && sum + 7 + 2 * block > limit && !one.has_room_for(7 + 2 * block));
    Pool unused(limit, block);
    Budget first(unused), second(unused);
    CHECK(first.has_room_for(2 * limit));  // where nothing is used, any amount is
    second.use(1);
    CHECK(!first.has_room_for(2 * limit));
    second.give_back(1);
    CHECK(first.has_room_for(2 * limit));
}

TEST(threads_lose_nothing_of_a_pool) {
    constexpr std::size_t block = 8;
    Pool pool(unlimited, block);
    const auto work = [&pool](bool& holds) {
        Budget budget(pool);
        std::minstd_rand random(1);
        std::size_t used = 0;
        for (int count = 0; count < 20'000; ++count) {
            const std::size_t amount = random() % 20;
            if (random() % 2) budget.use(amount), used += amount;
            else if (amount <= used) budget.give_back(amount), used -= amount;
            holds = holds && budget.used() >= used && budget.used() < (1 << 30);
        }
    };
    bool one_holds = true, other_holds = true;
    std::thread other(work, std::ref(other_holds));
    work(one_holds);
    other.join();
    CHECK(one_holds && other_holds && pool.used() == 0);
}

TEST(time_is_the_least_that_anybody_has_used_who_waits_anywhere) {
    Clocks shards(2);
    Account one(shards.clocks.front()), other(shards.clocks.back()), newcomer(shards.clocks.back());
    one.begin_waiting();
    other.begin_waiting();
    for (int count = 0; count < 4; ++count) one.charge(0.25);
    CHECK(shards.all.time() == 0 && newcomer.start_tag() == 0);  // the other has still had nothing
    for (int count = 0; count < 3; ++count) other.charge(0.25);
    CHECK(shards.all.time() > 0.4 && shards.all.time() <= 0.75);
    other.end_waiting();
    one.charge(0);
    CHECK(shards.all.time() > 0.9 && newcomer.start_tag() > 0.9);
}

TEST(all_are_equal_once_nothing_waits_anywhere) {
    Clocks shards(2);
    Account one(shards.clocks.front()), other(shards.clocks.back()), newcomer(shards.clocks.front());
    one.begin_waiting();
    other.begin_waiting();
    one.charge(0.5);
    one.end_waiting();
    shards.clocks.front().rest();
    CHECK(shards.all.time() == 0 && newcomer.start_tag() == 0);  // something waits in the other
    other.end_waiting();
    CHECK(shards.all.time() == 0.5 && newcomer.start_tag() > 0.49);
}

TEST(time_passes_nobody_by_who_waits) {
    Clocks shards(3);
    std::list<Account> accounts;
    for (int count = 0; count < 4; ++count)
        for (TurnClock& clock : shards.clocks) accounts.emplace_back(clock);
    std::vector<Account*> all;
    for (Account& account : accounts) all.push_back(&account);
    std::vector<int> waiting(all.size());
    std::minstd_rand random(1);
    for (int count = 0; count < 20'000; ++count) {
        const std::size_t which = random() % all.size();
        const double time = shards.all.time();
        double first = std::numeric_limits<double>::infinity();
        for (std::size_t index = 0; index < all.size(); ++index)
            if (waiting[index] > 0) first = std::min(first, all[index]->start_tag());
        switch (random() % 3) {
            case 0: all[which]->begin_waiting(), ++waiting[which]; break;
            case 1: all[which]->charge(1e-5 * double(random() % 100)); break;
            default:
                if (waiting[which] > 0) all[which]->end_waiting(), --waiting[which];
                first = std::numeric_limits<double>::infinity();  // who has left was perhaps the first
        }
        if (first < std::numeric_limits<double>::infinity()) CHECK(shards.all.time() <= std::max(time, first));
        CHECK(shards.all.time() >= time);
    }
}

TEST(who_holds_a_key_is_one_wherever_they_call) {
    Totals all(settings());
    const auto network = all.networks.find_or_add("a");
    const auto used = network->used_by(of_key | 1);
    CHECK(used == network->used_by(of_key | 1) && used != network->used_by(of_key | 2));
    CHECK(network->used_by(1) != network->used_by(1));  // of a connection, which is in one shard
    VirtualTime turns(2);
    TurnClock one_clock(turns, 0), other_clock(turns, 1);
    Network one(network, one_clock, 0), other(network, other_clock, 0);
    one.account_of(of_key | 1).charge(0.5);
    CHECK(other.account_of(of_key | 1).start_tag() == 0.5 && other.account_of(of_key | 2).start_tag() == 0);
    CHECK(std::abs(other.account.start_tag() - (0.5 - max_saved_s)) < 1e-9);
    one.account_of(7).charge(0.25);
    CHECK(other.account_of(7).start_tag() == 0 && std::abs(other.account.start_tag() - (0.75 - max_saved_s)) < 1e-9);
}

TEST(keys_that_nobody_has_are_forgotten) {
    Totals all(settings());
    const auto network = all.networks.find_or_add("a");
    const auto kept = network->used_by(of_key);
    kept->add(1, 0, 9);
    for (std::uint64_t key = 1; key < 10'000; ++key) network->used_by(of_key | key);
    CHECK(network->used_by(of_key) == kept && network->used_by(of_key | 1)->load() == 0);
}

TEST(a_network_is_forgotten_once_no_shard_has_it) {
    Totals all(settings());
    auto one = all.networks.find_or_add("a"), other = all.networks.find_or_add("a");
    CHECK(one == other && one->number == 1 && all.networks.find_or_add("b")->number == 2);
    all.networks.forget();
    CHECK(all.networks.size() == 1 && all.networks.find("a") == one && !all.networks.find("b"));
    one.reset();
    all.networks.forget();
    CHECK(all.networks.size() == 1);
    other.reset();
    all.networks.forget();
    CHECK(all.networks.size() == 0 && all.networks.find_or_add("a")->number == 3);  // and no other's number
}

TEST(another_shards_turn_comes_first_only_where_it_is_clearly_earlier) {
    const auto turn = [](std::uint64_t network, double network_tag, double caller_tag, int modesty = 0) {
        return Turn{false, modesty, network, network_tag, caller_tag};
    };
    CHECK(turn(1, 0, 9).is_before(turn(2, 1, 0)) && !turn(2, 1, 0).is_before(turn(1, 0, 9)));
    CHECK(!turn(1, 0, 0).is_before(turn(2, 1e-5, 0)) && !turn(2, 1e-5, 0).is_before(turn(1, 0, 0)));
    CHECK(turn(1, 5, 0).is_before(turn(1, 0, 1)) && !turn(1, 0, 1).is_before(turn(1, 5, 0)));  // of one network
    CHECK(turn(1, 0, 0, 2).is_before(turn(1, 0, 1e-5)) && !turn(1, 0, 0).is_before(turn(1, 0, 1e-5, 2)));
    CHECK(turn(1, 5, 5).is_before(Turn{}) && !Turn{}.is_before(turn(1, 5, 5)) && !Turn{}.is_before(Turn{}));
    Turn urgent = turn(1, 9, 9);
    urgent.is_urgent = true;
    CHECK(urgent.is_before(turn(2, 0, 0)) && !turn(2, 0, 0).is_before(urgent));
}

TEST(what_waits_is_told_to_the_other_shards) {
    Joined shards{Limits{}};
    Caller caller(shards.one, 1);
    const Standing& told = shards.all->standings[0];
    shards.one.publish();
    CHECK(told.waiting == 0 && told.turn.get().network_tag == never && told.slow_at == never);
    Call& torn = caller.call("/t/Unary", "", false);
    caller.echo("x");
    caller.call("/t/Probe", framed("x"));
    shards.one.publish();
    CHECK(told.waiting == 2 && told.turn.get().is_urgent && told.turn.get().network == 1 &&
          told.turn.get().modesty == 2);
    CHECK(told.slow_at == torn.arrived() + 10 && shards.all->has_slow(now() + 11) && !shards.all->has_slow(now() + 9));
    CHECK(told.small_tag == never && shards.all->first_small(1).second == never);  // it is for Python
    CHECK(shards.all->standings[1].waiting == 0);
}

TEST(slots_are_of_all_shards_and_who_has_many_gives_one_to_who_has_none_elsewhere) {
    Joined shards{with(&Limits::max_concurrent_requests, 3)};
    Caller greedy(shards.one, 1), polite(shards.other, 2);
    Call& first = greedy.echo("x");
    greedy.echo("x");
    Call& last = greedy.echo("x");
    CHECK(greedy.said(greedy.echo("x")) == "full");
    CHECK(!polite.echo("x").has_ended() && greedy.said(last) == "full" && !first.has_ended());
    CHECK(polite.said(polite.echo("x")) == "full" && shards.all->slots.used() == 3);
}

TEST(a_network_of_many_connections_in_one_shard_gives_slots_to_another_network_elsewhere) {
    Joined shards{with(&Limits::max_concurrent_requests, 4)};
    Caller first(shards.one, 1, "many"), second(shards.one, 2, "many"), third(shards.one, 3, "many"),
        fourth(shards.other, 4, "many"), one(shards.other, 5, "one");
    for (Caller* caller : {&first, &second, &third, &fourth}) caller->echo("x");
    CHECK(!one.echo("x").has_ended() && shards.all->slots.used() == 4);
    CHECK(one.said(one.echo("x")) == "full");
}

TEST(a_request_that_is_too_slow_gives_way_to_another_shards) {
    Joined shards{Limits{}};
    Caller slow(shards.one, 1), other(shards.other, 2);
    Call& call = slow.call("/t/Unary", "", false);
    Call& newcomer = other.echo("x");
    shards.one.publish();
    const std::size_t before = shards.visits;
    CHECK(!shards.other.make_way(newcomer, now() + 9));
    const std::size_t in_vain = shards.visits - before;
    CHECK(shards.other.make_way(newcomer, now() + 11) && slow.said(call) == "slow" && !newcomer.has_ended());
    CHECK(in_vain == 0);  // no shard that has nobody to give way is visited
}

TEST(what_is_held_is_bounded_over_all_at_the_cost_of_the_greediest_network) {
    Joined shards{with(&Limits::held_total_bytes, 100'000)};
    Caller one(shards.one, 1, "greedy"), other(shards.other, 2, "greedy"), polite(shards.other, 3, "polite");
    const std::string torn = framed(std::string(30'000, 'x')).substr(0, 30'000);
    Call& larger = one.call("/t/Row", torn + "x", false);
    Call& smaller = other.call("/t/Row", torn, false);
    Call& kept = polite.call("/t/Row", framed(std::string(45'000, 'y')), false);
    shards.other.shed();
    CHECK(one.said(larger) == "room" && !smaller.has_ended() && !kept.has_ended());
    CHECK(shards.all->held.used() <= 100'000);
}

TEST(what_nobody_reads_is_bounded_over_all_wherever_it_is) {
    Limits limits = with(&Limits::unread_total_bytes, 1000);
    limits.network_unread_bytes = 900;
    Joined shards{limits};
    Caller deaf(shards.one, 1, "deaf"), modest(shards.other, 2, "modest");
    std::vector<Peer*> closed;
    shards.one.close = [&closed](Peer& peer) {
        closed.push_back(&peer);
        peer.forget_all();
    };
    shards.other.close = [&closed](Peer& peer) { closed.push_back(&peer); };
    for (const auto& [caller, bytes] : {std::pair{&deaf, 800u}, std::pair{&modest, 400u}}) {
        caller->echo("x");
        Shared& in = caller->peer.shared;
        answer(in, take_messages(in, in.lines.metered, 1), std::string(bytes, 'y'));
    }
    CHECK(shards.all->unread.is_exceeded());
    shards.other.shed_unread();
    CHECK(closed == std::vector<Peer*>{&deaf.peer} && !shards.all->unread.is_exceeded());
    CHECK(shards.other.unread.used_here() > 0 && shards.one.unread.used_here() == 0);
    CHECK(!shards.other.shed_unread_for(shards.other.network("modest"), 900));  // nobody has more
}

TEST(watchers_are_counted_over_all) {
    Joined shards{with(&Limits::max_connections, 2)};
    Caller one(shards.one, 1, "greedy"), other(shards.other, 2, "greedy");
    const auto watch = [](Caller& caller) -> Call& { return caller.call("/grpc.health.v1.Health/Watch", framed("")); };
    Call& first = watch(one);
    CHECK(!first.has_ended() && !watch(other).has_ended() && other.said(watch(other)) == "crowded");
    CHECK(shards.all->watchers == 2);
    one.close(first);
    CHECK(shards.all->watchers == 1 && !watch(other).has_ended());
}

TEST(an_act_is_where_there_is_most_and_else_wherever_it_succeeds) {
    Joined shards{Limits{}};
    std::array<std::size_t, 2> counts{};
    std::vector<std::size_t> tried;
    std::size_t succeeds = 2;  // where
    const auto act = [&] {
        tried.clear();
        return shards.one.where_most([&](Shared& in) { return counts[in.index]; },
                                     [&](Shared& in) { return tried.push_back(in.index), in.index == succeeds; });
    };
    CHECK(!act() && tried.empty());  // nobody has any
    counts = {1, 2};
    succeeds = 1;
    CHECK(act() && tried == std::vector<std::size_t>{1});
    succeeds = 0;
    CHECK(act() && tried == std::vector<std::size_t>({1, 0}));
    counts = {2, 1};
    CHECK(act() && tried == std::vector<std::size_t>{0});
    succeeds = 1;
    CHECK(act() && tried == std::vector<std::size_t>({0, 1}));
}

TEST(ids_say_which_shard_they_are_of) {
    Joined shards{Limits{}};
    const std::uint64_t one = shards.one.next_id(), other = shards.other.next_id();
    CHECK(Shared::shard_of(one) == 0 && Shared::shard_of(other) == 1 && one != other && shards.one.next_id() > one);
}

TEST(events_of_several_rings_are_one_list_in_order_of_time) {
    const std::vector<std::vector<Event>> rings{
        {event_of(EventKind::accepted, 1, 1, 1), event_of(EventKind::left, 1, 5, 8, 3)},
        {event_of(EventKind::accepted, 2, 2, 3, 2), event_of(EventKind::left, 2, 6, 7)},
        {event_of(EventKind::left, 3, 8.5 + Events::in_a_row_s, 8.5 + Events::in_a_row_s)}};
    const std::vector<Event> all = Events::merged(rings);
    CHECK(all.size() == 3);
    CHECK(all[0].kind == EventKind::accepted && all[0].count == 3 && all[0].connection == 2 && all[0].first == 1);
    CHECK(all[1].kind == EventKind::left && all[1].count == 4 && all[1].connection == 1 && all[1].first == 5);
    CHECK(all[2].count == 1 && all[2].connection == 3);  // a minute later, which is another
    CHECK(Events::merged({}).empty() && Events::merged({{}, {}}).empty());
}

TEST(who_sleeps_is_woken_by_what_is_announced_since_before_they_looked) {
    constexpr double long_s = 60;
    Sleepers sleepers;
    const double began = now();
    const std::uint64_t epoch = sleepers.epoch();
    sleepers.announce();
    sleepers.sleep(epoch, long_s, false);  // it was announced while it looked
    int woken = 0;
    std::thread hungry([&] { sleepers.sleep(sleepers.epoch(), long_s, false), ++woken; });
    while (!sleepers.has_hungry()) std::this_thread::yield();
    sleepers.announce();
    hungry.join();
    CHECK(woken == 1 && !sleepers.has_hungry() && now() - began < long_s / 2);
    sleepers.sleep(sleepers.epoch(), 0.001, false);  // for no longer than it is told
    CHECK(now() - began < long_s / 2);
}

TEST(one_who_is_sated_keeps_nobody_from_being_woken) {
    constexpr double long_s = 60;
    Sleepers sleepers;
    const double began = now();
    const std::uint64_t epoch = sleepers.epoch();
    std::thread sated([&] { sleepers.sleep(epoch, long_s, true); });
    std::thread hungry([&] { sleepers.sleep(epoch, long_s, false); });
    while (!sleepers.has_hungry()) std::this_thread::yield();
    sleepers.announce();  // it may be either that is woken
    sated.join();
    hungry.join();
    CHECK(now() - began < long_s / 2 && !sleepers.has_hungry());
    std::thread last([&, before = sleepers.epoch()] { sleepers.sleep(before, long_s, true); });
    for (int count = 0; count < 1000; ++count) CHECK(!sleepers.has_hungry());  // however far it has come
    sleepers.wake_all();
    last.join();
    CHECK(now() - began < long_s / 2);
}

TEST(a_recall_is_for_one) {
    Sleepers sleepers;
    CHECK(!sleepers.is_recalled() && !sleepers.take_recall());
    sleepers.recall();
    sleepers.recall();
    CHECK(sleepers.is_recalled() && sleepers.take_recall() && sleepers.is_recalled() && sleepers.take_recall());
    CHECK(!sleepers.is_recalled() && !sleepers.take_recall());
}
