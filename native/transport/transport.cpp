// Who waits, who looks at the sockets and who is woken; what was taken is answered.
#include "transport.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "claim.hpp"
#include "epoll.hpp"
#include "grpc.hpp"
#include "http_call.hpp"

namespace transport {
namespace {

constexpr double unattended_s = 0.002;  // for which the sockets may be, while all others are busy
constexpr double unread_s = 0.001;      // for which those of one shard may be while enough waits in others
constexpr double ticks_s = 0.025;       // between two looks at what is over by itself
constexpr double max_sleep_s = 3600;
constexpr double hands_over_s = 0.00015;  // work of so long is worth another thread's look at the sockets
constexpr double visits_s = 0.002;  // for which a thread that holds one shard's lock tries to get another's
constexpr double visits_rest = 9;   // times as long as it has tried so, it tries no longer than once
constexpr double closes_s = 0.005;  // between two looks at whether a stopping server's callers have left
constexpr std::size_t max_times_making = 2;  // of the bound on long requests, that all together may hold
constexpr std::size_t max_visits = 8;  // to shards, for one batch: what a few hold fills it, and each has a lock
constexpr std::size_t never_enough = std::numeric_limits<std::size_t>::max();

/// Makes an eventfd readable.
void ring(const Descriptor& bell) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(bell.get(), &one, sizeof one);
}

/// Makes an eventfd readable no longer.
void silence(const Descriptor& bell) {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t got = ::read(bell.get(), &ignored, sizeof ignored);
}

/// Returns whether it is clearly one shard's turn before another's.
bool is_before(const Shard& one, const Shard& other) {
    return one.standing().turn.get().is_before(other.standing().turn.get());
}

/// Returns those events that are of connections of one shard; `events` are in the order of what they carry.
std::span<const epoll_event> of_shard(std::span<const epoll_event> events, std::size_t index) {
    const auto from = [events](std::size_t shard) {
        return std::lower_bound(events.begin(), events.end(), epoll::key_of(shard, 0),
                                [](const epoll_event& event, std::uint64_t key) { return event.data.u64 < key; });
    };
    return {from(index), from(index + 1)};
}

}  // namespace

Transport::Transport(TransportSettings settings, std::vector<Listener> listeners)
    : totals_(std::make_shared<Totals>(std::move(settings))),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      requests_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      acceptor_(epoll_.get(), *totals_, shards_, std::move(listeners)) {
    if (!epoll_ || !wake_ || !requests_)
        throw std::system_error(errno, std::generic_category(), "the transport's sockets can't be watched");
    watch(epoll_.get(), wake_.get(), waking, EPOLLIN, EPOLL_CTL_ADD);
    for (std::size_t index = 0; index < totals_->standings.size(); ++index) {
        Shard& shard = *shards_.emplace_back(std::make_unique<Shard>(epoll_.get(), totals_, index));
        shard.shared.in_others = [this, &shard](const Shared::Act& act) { return visit(shard.shared, act); };
    }
}

Transport::~Transport() { stop(0); }

void Transport::start() {
    {
        const std::lock_guard lock(own_mutex_);
        if (has_stopped_ || own_.joinable()) throw std::logic_error("a transport starts once");
        own_ = std::thread(&Transport::look_after, this);
    }
    acceptor_.listen();
}

void Transport::set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca) {
    auto grpc = std::make_shared<Tls>(certificate, key, client_ca, false);
    auto http = std::make_shared<Tls>(certificate, key, "", true);  // whose callers show a key, or nothing
    acceptor_.set_tls({std::move(grpc), std::move(http)});
}

/// Queues requests of `method` that its codec can read in a separate line (Lines::set_small).
void Transport::set_small(std::size_t method, const std::shared_ptr<const Codec>& codec, std::size_t bytes,
                          std::size_t sentences, std::size_t max_sentences, std::size_t row_bytes) {
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        shard->shared.lines.set_small(method, codec, bytes, sentences, max_sentences, row_bytes);
    }
}

void Transport::set_traced(bool traced) {
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        shard->shared.is_traced = traced;
    }
}

void Transport::set_keys(std::optional<Keys> keys) {
    const auto shared = keys ? std::make_shared<const Keys>(*std::move(keys)) : nullptr;
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        shard->shared.keys = shared;
    }
}

void Transport::set_serving(bool serving, const std::optional<std::vector<std::string>>& services) {
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        shard->shared.set_serving(serving, services ? *services : settings().health_services);
        settle(*shard);
    }
}

std::optional<Batch> Transport::take_messages(const TakeLimits& limits, double wait_s) {
    std::optional<Batch> taken = take_batch(limits, now() + wait_s);
    if (taken) inflate(*taken);
    return taken;
}

/// Returns the shard that the calling thread looks at first.
Shard& Transport::home() {
    static std::atomic<std::size_t> threads{0};
    static thread_local const std::size_t number = threads++;
    return *shards_[number % shards_.size()];
}

std::optional<Batch> Transport::take_batch(const TakeLimits& limits, double end) {
    totals_->costly.end();
    Shard& home = this->home();
    look_around(home, limits);  // what came meanwhile makes a larger batch
    Batch taken;
    while (true) {
        const std::uint64_t epoch = sleepers_.epoch();
        if (has_stopped_) return std::nullopt;
        Taking taking{.limits = limits, .batch = taken};
        take(taking, home, false);
        if (!taking.has_some()) take(taking, home, true);  // who had the lock may have woken this one for what is there
        if (taking.has_some()) break;
        // What is costly, and may not be taken now, may be soon.
        const double left = std::min(end - now(), has_costly() ? cheap_s : never);
        if (left <= 0) take_certainly(taking);
        if (left <= 0 || sleepers_.is_recalled()) break;
        if (const Claim claim(is_polling_); claim) {
            if (sleepers_.has_hungry() && waiting() > 0) sleepers_.wake();  // what this one may not take
            poll(home, sleepers_.epoch() == epoch ? left : 0, never_enough);
        } else {
            sleepers_.sleep(epoch, left, limits.messages == 0);
        }
    }
    taken.is_woken = sleepers_.take_recall();
    if (sleepers_.is_recalled()) wake();  // of two who recalled one each, both may have woken this one
    // Somebody has to take the rest, and to look at the sockets meanwhile.
    if (waiting() > 0 || (!is_polling_ && taken.work > hands_over_s)) sleepers_.announce();
    return taken;
}

/// Takes from the shard whose turn it is, in doubt the thread's own, and from some others while the batch has room.
/// Others whose lock is taken are passed over, unless it is clearly their turn, or it `waits`.
void Transport::take(Taking& taking, Shard& home, bool waits) {
    std::uint64_t left_out = 0, passed_over = 0;
    taking.yields = !waits;  // else it takes what it may
    for (std::size_t visits = 0; !taking.is_full && (visits < max_visits || !taking.has_some()); ++visits) {
        Shard* shard = next(home, left_out | passed_over);
        if (!shard) return;
        // Of those whose turn it is together one is passed over for the others, and not for who has had more.
        if (Shard* const first = next(home, left_out); first && is_before(*first, *shard)) shard = first;
        const std::uint64_t own = std::uint64_t(1) << shard->shared.index;
        const Shard* const other = next(home, left_out | own);
        taking.next = other ? other->standing().turn.get() : Turn{};
        taking.goes_on = false;
        const std::size_t before = taking.count();
        if (waits || shard == &home || passed_over & own || (other && is_before(*shard, *other))) {
            const Lock lock(shard->mutex);
            take_from(*shard, taking);
        } else if (const TryLock lock(shard->mutex); lock) {
            the_lock.is_sure();
            take_from(*shard, taking);
        } else {
            passed_over |= own;
            continue;
        }
        passed_over &= ~own;
        // Who has nothing for this thread, although its turn has come, keeps it from no other.
        if (!taking.goes_on || taking.count() == before) left_out |= own;
    }
}

/// Takes from all shards, also where another thread hasn't told yet that something waits.
void Transport::take_certainly(Taking& taking) {
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        take_from(*shard, taking);
    }
}

void Transport::take_from(Shard& shard, Taking& taking) {
    try {
        shard.taker.take(taking);
    } catch (const std::bad_alloc&) {  // what was taken so far is served
        taking.is_full = true;
    }
    shard.settle();
    tell(shard);
}

/// Returns the shard to take from next: the thread's own one, or another whose turn is clearly earlier. Shards whose
/// bits are set in `left_out`, or where nothing waits, aren't asked; null if there is no other.
Shard* Transport::next(const Shard& home, std::uint64_t left_out) const {
    Shard* found = nullptr;
    for (std::size_t ahead = 0; ahead < shards_.size(); ++ahead) {
        Shard& shard = *shards_[(home.shared.index + ahead) % shards_.size()];
        if (left_out >> shard.shared.index & 1 || shard.standing().waiting == 0) continue;
        if (!found || is_before(shard, *found)) found = &shard;
    }
    return found;
}

/// Reads what has arrived: of all shards, or of the thread's own where another thread looks at all.
void Transport::look_around(Shard& home, const TakeLimits& limits) {
    if (has_stopped_) return;
    const std::size_t enough = std::max(limits.messages, limits.small);
    if (const Claim claim(is_polling_); claim) return poll(home, 0, enough > 0 ? enough : never_enough);
    if (shards_.size() == 1) return;
    const std::size_t before = home.standing().waiting;
    poll(home, 0, 0);
    if (limits.messages == 0 && home.standing().waiting > before) wake();  // it may be what this one may not take
}

/// Waits for at most `timeout_s` seconds until something arrives, and reads it: in the thread's own shard first, then
/// in others until `enough` messages wait; and in those that nobody has read lately, since who has had the least may be
/// there. With 0, it reads its own shard alone, and leaves all else to the thread that looks at all.
void Transport::poll(Shard& home, double timeout_s, std::size_t enough) {
    std::array<epoll_event, 512> events;
    if (timeout_s > 0) timeout_s = std::min(timeout_s, rested_at() - now());
    const int milliseconds = timeout_s > 0 ? int(std::min(std::ceil(timeout_s * 1000), 1e6)) : 0;
    const int count = epoll_wait(epoll_.get(), events.data(), int(events.size()), milliseconds);
    const std::span<epoll_event> ready(events.data(), std::size_t(std::max(count, 0)));
    if (enough > 0)
        for (const epoll_event& event : ready) handle(event.data.u64);  // some of those that are ready may have to go
    std::sort(ready.begin(), ready.end(),
              [](const epoll_event& one, const epoll_event& other) { return one.data.u64 < other.data.u64; });
    const double time = now();
    const auto read = [&](Shard& shard) {
        const auto here = of_shard(ready, shard.shared.index);
        if (!here.empty() || shard.standing().rested_at <= time) shard.read(here);
        wake_own(shard.standing().due);
        return shard.standing().waiting.load();
    };
    std::size_t found = read(home);
    const std::size_t first = polled_++;
    for (std::size_t ahead = 0; enough > 0 && ahead < shards_.size(); ++ahead) {
        Shard& shard = *shards_[(first + ahead) % shards_.size()];
        if (&shard != &home && (found < enough || time - shard.read_at() >= unread_s)) found += read(shard);
    }
    if (has_requests()) wake_application();
    if (enough == 0) return;
    polled_at_ = now();
    ++polls_;
    wake_own(0);  // it may be that nobody looks from now on
}

/// Handles an event that is of no connection: somebody connects, or has woken the thread that sleeps at the sockets.
void Transport::handle(std::uint64_t what) {
    if (what & listening) return acceptor_.accept_all(what & ~listening);
    if (what == waking) silence(wake_);
}

/// Inflates compressed messages whose turn it is, without holding a lock.
void Transport::inflate(Batch& batch) {
    for (TakenMessage& taken : batch.messages) {
        if (!taken.is_compressed || taken.is_http) continue;  // the application inflates by itself
        const double began = now();
        auto inflated = gunzip(taken.content, taken.inflated_size);
        const double took_s = now() - began;
        taken.is_lost = !inflated;
        if (inflated) taken.content = std::move(*inflated);
        Shard& shard = shard_of(taken.id);
        const Lock lock(shard.mutex);
        Message* const message = shard.shared.outstanding.find(taken.id);
        if (!message) continue;  // its caller has left
        message->call->account().charge(took_s);
        if (!taken.is_lost) {
            message->call->count_sentences(*message, taken.content);
        } else {
            shard.shared.outstanding.remove(taken.id);
            Call& call = *message->call;
            call.or_reset([&]() REQUIRES(the_lock) {
                call.refuse_taken(settings().status(Refusal::malformed), Refusal::malformed);
            });
            settle(shard);
        }
    }
    std::erase_if(batch.messages, [](const TakenMessage& taken) { return taken.is_lost; });
}

/// Wakes a thread that waits in take_messages, and the one that sleeps at the sockets if no other can take everything.
void Transport::wake() {
    sleepers_.announce();
    if (!sleepers_.has_hungry() && is_polling_) ring(wake_);
}

/// Makes one take_messages return early: one that waits now, or otherwise the next one.
void Transport::wake_one() {
    sleepers_.recall();
    wake();
}

/// Calls `act` for items that belong to messages, in each shard under its lock, then `before_sent` for that shard, and
/// sends what has become ready. Takes no memory.
template <typename Items, typename IdOf, typename Act, typename BeforeSent>
void Transport::by_shard(Items& items, const IdOf& id_of, const Act& act, const BeforeSent& before_sent) {
    std::uint64_t shards = 0;
    for (const auto& item : items) shards |= std::uint64_t(1) << shard_of(id_of(item)).shared.index;
    for (const auto& shard : shards_) {
        if (!(shards >> shard->shared.index & 1)) continue;
        const Lock lock(shard->mutex);
        for (auto& item : items)
            if (&shard_of(id_of(item)) == shard.get()) act(shard->shared, item);
        before_sent(*shard);
        settle(*shard);
    }
}

template <typename Items, typename IdOf, typename Act>
void Transport::by_shard(Items& items, const IdOf& id_of, const Act& act) {
    by_shard(items, id_of, act, [](const Shard&) {});
}

void Transport::put_back(Job& job, bool is_whole, std::size_t bytes, std::size_t response_bytes, double took_s) {
    Shard& shard = shard_of(job.message.id);
    const Lock lock(shard.mutex);
    Message* const message = shard.shared.outstanding.find(job.message.id);
    if (!message || message->job.get() != &job) return;  // its caller has left
    Call& call = *message->call;
    call.account().charge(took_s);
    if (is_whole) {
        job.set_whole();
        message->made = bytes;
        shard.shared.making.use(bytes);
        call.reserve(*message, response_bytes);
        call.account().took(message->size, job.work());
        message->line->estimate_anew(*message, job.work());
        message->is_costly = job.max_work_at_once() > costly_s;
    }
    message->line->put_back(*message);
    shard.shared.publish();
}

bool Transport::submit(std::uint64_t id, std::uint64_t path, Submission submission, std::size_t dimension,
                       const Pace& pace, double spent) {
    Shard& shard = shard_of(id);
    const Lock lock(shard.mutex);
    Message* const message = shard.shared.outstanding.find(id);
    if (!message || message->job) return false;
    if (totals_->making.used() > max_times_making * settings().limits.making_bytes) throw NoRoom();
    pay(*message, spent);
    shard.taker.submit(*message, path, std::move(submission), dimension, pace);
    settle(shard);
    return true;
}

bool Transport::end_submission(const Job& job) {
    Shard& shard = shard_of(job.message.id);
    const Lock lock(shard.mutex);
    Message* const message = shard.shared.outstanding.find(job.message.id);
    if (!message || message->job.get() != &job) return false;
    message->call->take_back(*message);
    settle(shard);
    return true;
}

void Transport::leave_to_python(Job& job) {
    if (job.is_over.exchange(true)) return;
    Shard& shard = shard_of(job.message.id);
    const Lock lock(shard.mutex);
    Message* const message = shard.shared.outstanding.find(job.message.id);
    if (!message || message->job.get() != &job) return;
    Lines& lines = shard.shared.lines;
    Call& call = *message->call;
    call.or_reset(
        [&]() REQUIRES(the_lock) { call.start_over(*message, call.is_http() ? lines.application : lines.metered); });
    settle(shard);
}

void Transport::answer(Answers& answers, const Counted& counted) {
    const auto count = [&](const Shard& shard) {
        try {
            std::vector<std::size_t> here;
            for (std::size_t index = 0; index < answers.size(); ++index)
                if (&shard_of(answers[index].id) == &shard) here.push_back(index);
            counted(here);
        } catch (const std::bad_alloc&) {  // who isn't counted is answered all the same
        }
    };
    by_shard(
        answers, [](const Answer& given) { return given.id; },
        [](Shared& in, Answer& given) REQUIRES(the_lock) { answer(in, given); }, count);
}

void Transport::answer(Shared& in, Answer& given) {
    Message* const message = in.outstanding.remove(given.id);
    given.is_wanted = message;
    if (!message) return;
    Call& call = *message->call;
    pay(*message, given.spent);
    if (given.work > 0) {
        call.account().charge(given.work - message->work);
        call.account().took(message->size, given.work);
    }
    call.or_reset([&]() REQUIRES(the_lock) { call.answer(*message, std::move(given.content), given.cut); });
}

void Transport::fail(const Failures& failures) {
    by_shard(
        failures, [](const auto& of) { return of.first; },
        [](Shared& in, const auto& failure) REQUIRES(the_lock) {
            Message* const message = in.outstanding.find(failure.first);
            if (!message) return;
            Call& call = *message->call;
            call.or_reset([&]() REQUIRES(the_lock) { call.fail(*message, failure.second); });
        });
}

void Transport::charge(std::uint64_t id, double seconds) {
    Shard& shard = shard_of(id);
    const Lock lock(shard.mutex);
    Message* const message = shard.shared.outstanding.find(id);
    if (!message) return;
    pay(*message, seconds);
    shard.shared.publish();
    tell(shard);
}

void Transport::pay(Message& message, double seconds) {
    if (seconds > 0) message.call->account().charge(seconds - std::exchange(message.work, 0));
}

void Transport::deny(const std::vector<Denied>& calls) {
    by_shard(
        calls, [](const Denied& of) { return of.message.id; },
        [](Shared& in, const Denied& of) REQUIRES(the_lock) {
            const TakenMessage& taken = of.message;
            if (Message* const message = in.outstanding.remove(taken.id)) message->call->deny(of.denial);
            else
                in.ended.note({int(taken.method), code_of_leaving(taken.deadline, taken.arrived, now()), Refusal::none,
                               now() - taken.arrived});
        });
}

/// Sends what has become ready in a shard, and wakes who is to know of it.
void Transport::settle(Shard& shard) {
    shard.settle();
    tell(shard);
    if (shard.standing().waiting > 0) wake();
}

/// Wakes who doesn't take messages, but is to know of what a shard has published.
void Transport::tell(const Shard& shard) {
    wake_own(shard.standing().due);
    if (has_requests()) wake_application();
}

/// Does something in other shards than `from`, one after the other, until it returns true; returns whether it did. The
/// thread holds the lock of `from`, so it never waits for another's: it tries to get it for a moment, then leaves that
/// shard out. Two that try to get each other's do so in vain: no thread does for more than a small part of the time.
bool Transport::visit(const Shared& from, const Shared::Act& act) {
    static thread_local std::atomic<bool> is_visiting{false};
    static thread_local double waits_from = 0;
    const Claim claim(is_visiting);
    if (!claim) return false;  // what it does there doesn't lead further
    for (const auto& shard : shards_) {
        if (&shard->shared == &from) continue;
        const double began = now();
        const TryLock lock(shard->mutex, began >= waits_from ? visits_s : 0);
        waits_from = std::max(waits_from, now() + visits_rest * (now() - began));
        if (!lock) continue;
        the_lock.is_sure();
        const std::size_t waited = shard->standing().waiting;
        const bool is_done = act(shard->shared);
        shard->sockets.send_listed();
        shard->shared.publish();
        tell(*shard);
        if (shard->standing().waiting > waited) wake();
        if (is_done) return true;
    }
    return false;
}

void Transport::pass_on(Batch& batch) {
    const auto is_http = [](const TakenMessage& taken) { return taken.is_http; };
    if (std::none_of(batch.messages.begin(), batch.messages.end(), is_http)) return;
    by_shard(
        batch.messages, [](const TakenMessage& taken) { return taken.id; },
        [](Shared& in, TakenMessage& taken) REQUIRES(the_lock) {
            Message* const message = taken.is_http ? in.outstanding.remove(taken.id) : nullptr;
            if (!message) return;
            Call& call = *message->call;
            call.or_reset([&]() REQUIRES(the_lock) { call.pass_on(*message, std::move(taken.content)); });
        });
    std::erase_if(batch.messages, is_http);
}

std::optional<HttpRequests> Transport::take_requests(std::size_t max_requests) {
    silence(requests_);
    is_application_told_ = false;  // who tells it from now on makes it readable again: nothing that it reads now
    if (has_stopped_) return wake_application(), std::nullopt;
    HttpRequests taken;
    const std::size_t first = next_for_application_++;
    for (std::size_t ahead = 0; ahead < shards_.size(); ++ahead) {
        Shard& shard = *shards_[(first + ahead) % shards_.size()];
        if (!has_requests(shard)) continue;
        const Lock lock(shard.mutex);
        try {
            shard.taker.take_requests(max_requests, taken);
        } catch (const std::bad_alloc&) {  // what was taken so far is served
        }
        settle(shard);
    }
    return taken;
}

bool Transport::respond(std::uint64_t id, Response response, double spent) {
    Shard& shard = shard_of(id);
    const Lock lock(shard.mutex);
    Shared& shared = shard.shared;
    Message* const message = shared.outstanding.find(id);
    if (!message) return false;
    if (message->job && message->job->is_submitted())
        message->call->take_back(*message);  // it is answered without that
    if (message->line != &shared.lines.application) return false;
    shared.outstanding.remove(id);
    pay(*message, spent);
    auto& call = static_cast<HttpCall&>(*message->call);
    call.or_reset([&]() REQUIRES(the_lock) { call.respond(std::move(response)); });
    settle(shard);
    return true;
}

/// Wakes the application for its requests, once for all that arrive before it comes.
void Transport::wake_application() {
    if (!is_application_told_.exchange(true)) ring(requests_);
}

std::vector<Ended> Transport::ended() {
    std::vector<Ended> found;
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        const std::vector<Ended> here = shard->shared.ended.hand_over();
        found.insert(found.end(), here.begin(), here.end());
    }
    return found;
}

std::vector<Event> Transport::events(bool are_new) {
    std::vector<std::vector<Event>> found{acceptor_.events(are_new)};
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        found.push_back(shard->shared.events.list(are_new));
    }
    return Events::merged(found);
}

SlicedDepth Transport::sliced() {
    SlicedDepth depth;
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        const auto [requests, sentences, tokens] = shard->shared.sliced();
        depth.requests += requests;
        depth.sentences += sentences;
        depth.tokens += tokens;
    }
    return depth;
}

Figures Transport::figures() {
    const Totals& all = *totals_;
    Figures sum{.connections = double(all.connections[false]),
                .http_connections = double(all.connections[true]),
                .requests = double(all.requests.used()),
                .slots = double(all.slots.used()),
                .making_bytes = double(all.making.used()),
                .watchers = double(all.watchers),
                .lag_s = max_lag_s_.exchange(0)};
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        const Shared& in = shard->shared;
        sum.connections_begun += double(in.begun.connections);
        sum.calls += double(in.open.used());
        sum.calls_begun += double(in.begun.calls);
        sum.waiting += double(in.lines.size() + in.lines.application.size());
        sum.taken += double(in.outstanding.size());
        sum.wait_s = std::max({sum.wait_s, in.lines.metered.wait_s(), in.lines.small.wait_s()});
        sum.held_bytes += double(in.held.used_here());
        sum.unread_bytes += double(in.unread.used_here());
        sum.received_bytes += double(in.begun.received_bytes);
        sum.sent_bytes += double(in.begun.sent_bytes);
        sum.resets += double(in.begun.resets);
        sum.reading += double(in.reading.size());
        sum.deadlines += double(in.deadlines.size());
        sum.uncounted += double(in.ended.uncounted());
        sum.rests += double(shard->sockets.rests());
    }
    return sum;
}

/// Returns whether a shard has a request for the application whose turn it is, or news of those that it has taken.
bool Transport::has_requests(const Shard& shard) const {
    const Standing& standing = shard.standing();
    const Turn turn = standing.request.get();
    return standing.has_news || (turn.network_tag < never && !totals_->is_overtaken(turn, now()));
}

bool Transport::has_requests() const {
    return std::any_of(shards_.begin(), shards_.end(), [this](const auto& shard) { return has_requests(*shard); });
}

double Transport::quiet_s() {
    double began = 0;
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        began = std::max(began, shard->shared.began);
    }
    return now() - began;
}

std::size_t Transport::waiting() const {
    std::size_t sum = 0;
    for (const Standing& each : totals_->standings) sum += each.waiting;
    return sum;
}

bool Transport::has_costly() const { return totals_->any(&Standing::has_costly); }

/// Returns when the next thing in any shard ends by itself.
double Transport::due() const { return totals_->first(&Standing::due); }

/// Returns when the first connection that rests in any shard has rested.
double Transport::rested_at() const { return totals_->first(&Standing::rested_at); }

/// Polls the sockets while no other thread does, and ends what has timed out. Runs in the transport's own thread.
void Transport::look_after() {
    std::uint64_t polls = 0;  // when it last looked around
    double ticked_at = 0;
    while (!has_stopped_) {
        const double time = now();
        if (time - polled_at_ >= unattended_s && stand_in(time))
            sleepers_.announce();  // who came meanwhile waits, and is to look from now on
        if (time >= due() && time - ticked_at >= ticks_s) tick(ticked_at = time);
        if (acceptor_.is_paused()) acceptor_.listen();
        if (has_requests()) wake_application();  // those that workers passed until these stood still
        std::unique_lock lock(own_mutex_);
        // Who sleeps at the sockets looks at them meanwhile, and wakes this thread once something has come.
        const bool may_rest = is_polling_ && polls_ == std::exchange(polls, polls_);
        rests_until_ = may_rest ? never : 0;  // before it looks when something is due: who changes that wakes it
        const double until = std::max(due(), ticked_at + ticks_s);
        rests_until_ = may_rest ? until : 0;
        const double wait_s = may_rest ? std::min(until - now(), max_sleep_s) : is_polling_ ? ticks_s : unattended_s;
        if (wait_s > 0 && !has_stopped_) looked_.wait_for(lock, std::chrono::duration<double>(wait_s));
        rests_until_ = 0;
    }
}

/// Looks at all sockets if no other thread does; returns whether it did.
bool Transport::stand_in(double time) {
    const Claim claim(is_polling_);
    if (!claim) return false;
    max_lag_s_ = std::max(max_lag_s_.load(), time - polled_at_);
    poll(*shards_.front(), 0, never_enough);
    publish_all();
    return true;
}

/// Has each shard tell anew whose turn is next in it: what its callers have used may have grown in others.
void Transport::publish_all() {
    for (const auto& shard : shards_) {
        if (shard->standing().waiting == 0) continue;
        const Lock lock(shard->mutex);
        shard->shared.publish();
    }
}

/// Wakes the transport's own thread if it would sleep past `by`.
void Transport::wake_own(double by) {
    if (rests_until_ <= by) return;
    const std::lock_guard lock(own_mutex_);
    rests_until_ = 0;
    looked_.notify_all();
}

void Transport::tick(double time) {
    for (const auto& shard : shards_) {
        if (time < shard->standing().due) continue;
        const Lock lock(shard->mutex);
        try {
            shard->tick(time);
        } catch (const std::bad_alloc&) {  // there may be memory the next time: without this thread no deadline ends
            shard->shared.due.by(0);
        }
        settle(*shard);
    }
    totals_->networks.forget();
}

void Transport::drain() {
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        shard->shared.set_serving(false, settings().health_services);
        shard->shared.is_draining = true;
        shard->sockets.drain();
        settle(*shard);
    }
}

bool Transport::is_idle() {
    return std::all_of(shards_.begin(), shards_.end(), [](const auto& shard) {
        const Lock lock(shard->mutex);
        return shard->is_idle();
    });
}

bool Transport::wait_idle(double timeout_s) {
    const double end = now() + timeout_s;
    while (!is_idle()) {
        if (now() >= end) return false;
        std::this_thread::sleep_for(std::chrono::duration<double>(std::min(ticks_s, timeout_s)));
    }
    return true;
}

void Transport::stop(double grace_s) {
    std::thread own = end_all(now() + grace_s);
    if (own.joinable()) own.join();
}

/// Ends all connections, by that time at the latest, and returns the transport's own thread, which is ending.
std::thread Transport::end_all(double end) {
    if (has_stopped_) return {};
    acceptor_.close();
    for (const auto& shard : shards_) {
        const Lock lock(shard->mutex);
        shard->sockets.go_away();
        settle(*shard);
    }
    for (const auto& shard : shards_) {
        const auto is_open = [&] {
            const Lock lock(shard->mutex);
            return !shard->sockets.are_closed();
        };
        while (is_open() && now() < end) std::this_thread::sleep_for(std::chrono::duration<double>(closes_s));
        const Lock lock(shard->mutex);
        shard->sockets.close_all();
        shard->shared.publish();
    }
    const std::lock_guard lock(own_mutex_);
    has_stopped_ = true;
    sleepers_.wake_all();
    looked_.notify_all();
    ring(wake_);
    wake_application();
    return std::move(own_);
}

}  // namespace transport
