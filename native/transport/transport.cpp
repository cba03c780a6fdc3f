// Who waits, who looks at the sockets and who is woken; what was taken is answered.
#include "transport.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "grpc.hpp"
#include "http_call.hpp"

namespace transport {
namespace {

constexpr double unattended_s = 0.002;  // for which the sockets may be, while all others are busy
constexpr double ticks_s = 0.025;       // between two looks at what is over by itself
constexpr double max_sleep_s = 3600;
constexpr double hands_over_s = 0.00015;  // work of so long is worth another thread's look at the sockets

/// Marks, while it exists, that a thread polls the sockets; an exception ends it too.
struct Polling {
    bool& is_polling;
    ~Polling() { is_polling = false; }
};

}  // namespace

Transport::Transport(TransportSettings settings, std::vector<Listener> listeners)
    : shared_(std::move(settings)),
      sockets_(mutex_, shared_, std::move(listeners)),
      taker_(shared_, sockets_),
      requests_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!requests_) throw std::system_error(errno, std::generic_category(), "the transport's sockets can't be watched");
}

Transport::~Transport() { stop(0); }

void Transport::start() {
    const Lock lock(mutex_);
    if (has_stopped_ || own_.joinable()) throw std::logic_error("a transport starts once");
    sockets_.listen();
    own_ = std::thread(&Transport::look_after, this);
}

void Transport::set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca) {
    auto grpc = std::make_shared<Tls>(certificate, key, client_ca, false);
    auto http = std::make_shared<Tls>(certificate, key, "", true);  // whose callers show a key, or nothing
    const Lock lock(mutex_);
    sockets_.set_tls({std::move(grpc), std::move(http)});
}

/// Queues requests of `method` that its codec can read in a separate line (Lines::set_small).
void Transport::set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes,
                          std::size_t sentences, std::size_t max_sentences, std::size_t row_bytes) {
    const Lock lock(mutex_);
    shared_.lines.set_small(method, std::move(codec), bytes, sentences, max_sentences, row_bytes);
}

void Transport::set_traced(bool traced) {
    const Lock lock(mutex_);
    shared_.is_traced = traced;
}

void Transport::set_keys(std::optional<Keys> keys) {
    const Lock lock(mutex_);
    shared_.keys.swap(keys);
}

void Transport::set_serving(bool serving, const std::optional<std::vector<std::string>>& services) {
    const Lock lock(mutex_);
    shared_.set_serving(serving, services ? *services : shared_.settings.health_services);
    settle();
}

std::optional<Batch> Transport::take_messages(const TakeLimits& limits, double wait_s, double begins_at) {
    std::optional<Batch> taken = take_batch(limits, now() + wait_s, begins_at);
    if (taken) inflate(*taken);
    return taken;
}

std::optional<Batch> Transport::take_batch(const TakeLimits& limits, double end, double begins_at) {
    const Lock lock(mutex_);
    taker_.come_back();
    shared_.lines.set_queue(begins_at);
    if (!is_polling_ && !has_stopped_) poll(0);  // what came meanwhile makes a larger batch
    const bool is_sated = limits.messages == 0;
    while (!has_stopped_ && !taker_.has_some(limits)) {
        // What is costly, and may not be taken now, may be soon.
        const double left = std::min(end - now(), taker_.costly_wait_s());
        if (left <= 0 || woken_ > 0) break;
        if (!is_polling_) {
            if (idle_ > sated_ && shared_.lines.size() > 0) wake_idle();  // what this one may not take
            poll(left);
        } else {
            ++idle_;
            sated_ += is_sated;
            mutex_.wait(changed_, left);
            --idle_;
            sated_ -= is_sated;
        }
    }
    if (has_stopped_) return std::nullopt;
    Batch taken;
    try {
        taker_.take(limits, taken);
    } catch (const std::bad_alloc&) {  // what was taken so far is served
    }
    taken.is_woken = woken_ > 0;
    woken_ -= taken.is_woken;
    if (woken_ > 0) wake();  // both may have woken this one
    sockets_.send_listed();
    wake_application();
    // Somebody has to take the rest, and to look at the sockets meanwhile.
    if (idle_ && (shared_.lines.size() > 0 || (!is_polling_ && taken.work > hands_over_s))) wake_idle();
    return taken;
}

/// Polls the sockets once, and handles what has arrived. The lock is released while it sleeps.
void Transport::poll(double timeout_s) {
    is_polling_ = true;
    const Polling polling{is_polling_};
    try {
        sockets_.poll(timeout_s);
    } catch (const std::bad_alloc&) {  // there may be memory the next time: what wasn't read is in the sockets still
    }
    wake_application();
    polled_at_ = now();
    ++polls_;
    wake_own(0);  // it may be that nobody looks from now on
}

/// Inflates compressed messages whose turn it is, without holding the lock.
void Transport::inflate(Batch& batch) {
    for (TakenMessage& taken : batch.messages) {
        if (!taken.is_compressed || taken.is_http) continue;  // the application inflates by itself
        const double began = now();
        auto inflated = gunzip(taken.content, taken.inflated_size);
        const double took_s = now() - began;
        taken.is_lost = !inflated;
        if (inflated) taken.content = std::move(*inflated);
        const Lock lock(mutex_);
        Message* const message = shared_.outstanding.find(taken.id);
        if (!message) continue;  // its caller has left
        message->call->account().charge(took_s);
        if (!taken.is_lost) {
            message->call->count_sentences(*message, taken.content);
        } else {
            shared_.outstanding.remove(taken.id);
            Call& call = *message->call;
            call.or_reset([&]() REQUIRES(the_lock) {
                call.refuse_taken(shared_.settings.status(Refusal::malformed), Refusal::malformed);
            });
            settle();
        }
    }
    std::erase_if(batch.messages, [](const TakenMessage& taken) { return taken.is_lost; });
}

/// Wakes a thread that waits in take_messages; all of them, if they don't all take the same messages.
void Transport::wake() {
    if (idle_) wake_idle();
    if (idle_ == sated_ && is_polling_) sockets_.wake();
}

/// Wakes a thread that waits while another polls; all of them if one takes unmetered messages only, since that might be
/// the one that is woken.
void Transport::wake_idle() {
    if (sated_ > 0) changed_.notify_all();
    else changed_.notify_one();
}

/// Makes one take_messages return early: one that waits now, or otherwise the next one.
void Transport::wake_one() {
    const Lock lock(mutex_);
    ++woken_;
    wake();
}

/// Lets a thread that waits in take_messages poll the sockets, if no thread does.
void Transport::hand_over_polling() {
    const Lock lock(mutex_);
    if (idle_ && !is_polling_) changed_.notify_one();
}

bool Transport::has_hasty_callers() {
    const Lock lock(mutex_);
    return taker_.has_hasty_callers();
}

void Transport::put_back(Job& job, bool is_whole, std::size_t bytes, std::size_t response_bytes, double took_s) {
    const Lock lock(mutex_);
    Message* const message = shared_.outstanding.find(job.message.id);
    if (!message || message->job.get() != &job) return;  // its caller has left
    Call& call = *message->call;
    call.account().charge(took_s);
    if (is_whole) {
        job.set_whole();
        message->made = bytes;
        shared_.making.use(bytes);
        call.reserve(*message, response_bytes);
        call.account().took(message->size, job.work());
        message->line->estimate_anew(*message, job.work());
        message->is_costly = job.max_work_at_once() > costly_s;
    }
    message->line->put_back(*message);
}

void Transport::leave_to_python(Job& job) {
    if (job.is_over.exchange(true)) return;
    const Lock lock(mutex_);
    Message* const message = shared_.outstanding.find(job.message.id);
    if (!message || message->job.get() != &job) return;
    Lines& lines = shared_.lines;
    Call& call = *message->call;
    call.or_reset(
        [&]() REQUIRES(the_lock) { call.start_over(*message, call.is_http() ? lines.application : lines.metered); });
    settle();
}

void Transport::answer(Answers& answers) {
    const Lock lock(mutex_);
    for (Answer& given : answers) {
        Message* const message = shared_.outstanding.remove(given.id);
        given.is_wanted = message;
        if (!message) continue;
        Call& call = *message->call;
        if (given.work > 0) {
            call.account().charge(given.work - message->work);
            call.account().took(message->size, given.work);
        }
        call.or_reset([&]() REQUIRES(the_lock) { call.answer(*message, std::move(given.content), given.cut); });
    }
    settle();
}

void Transport::fail(const Failures& failures) {
    const Lock lock(mutex_);
    for (const auto& [id, status] : failures) {
        Message* const message = shared_.outstanding.find(id);
        if (!message) continue;
        const Status& said = status;
        Call& call = *message->call;
        call.or_reset([&]() REQUIRES(the_lock) { call.fail(*message, said); });
    }
    settle();
}

void Transport::deny(const std::vector<Denied>& calls) {
    const Lock lock(mutex_);
    for (const auto& [taken, denial] : calls) {
        if (Message* const message = shared_.outstanding.remove(taken.id)) message->call->deny(denial);
        else
            shared_.ended.note({int(taken.method), code_of_leaving(taken.deadline, taken.arrived, now()), Refusal::none,
                                now() - taken.arrived});
    }
    settle();
}

/// Sends what has become ready. Sending makes room in streams, whose waiting messages may then be taken.
void Transport::settle() {
    sockets_.send_listed();
    sockets_.shed_unread();
    wake_application();
    wake_own(shared_.due.time());
    if (shared_.lines.size() > 0 || shared_.outstanding.has_news()) wake();
}

void Transport::pass_on(Batch& batch) {
    if (std::none_of(batch.messages.begin(), batch.messages.end(),
                     [](const TakenMessage& taken) { return taken.is_http; }))
        return;
    const Lock lock(mutex_);
    for (TakenMessage& taken : batch.messages) {
        Message* const message = taken.is_http ? shared_.outstanding.remove(taken.id) : nullptr;
        if (!message) continue;
        Call& call = *message->call;
        call.or_reset([&]() REQUIRES(the_lock) { call.pass_on(*message, std::move(taken.content)); });
    }
    std::erase_if(batch.messages, [](const TakenMessage& taken) { return taken.is_http; });
    settle();
}

std::optional<HttpRequests> Transport::take_requests(std::size_t max_requests) {
    const Lock lock(mutex_);
    std::uint64_t ignored = 0;
    if (has_stopped_) return std::nullopt;  // and it stays readable
    if (std::exchange(is_application_told_, false)) [[maybe_unused]]
        const ssize_t got = ::read(requests_.get(), &ignored, sizeof ignored);
    HttpRequests taken;
    try {
        taker_.take_requests(max_requests, taken);
    } catch (const std::bad_alloc&) {  // likewise
    }
    settle();
    return taken;
}

bool Transport::respond(std::uint64_t id, Response response) {
    const Lock lock(mutex_);
    Message* const message = shared_.outstanding.find(id);
    if (!message || message->line != &shared_.lines.application) return false;
    shared_.outstanding.remove(id);
    auto& call = static_cast<HttpCall&>(*message->call);
    call.or_reset([&]() REQUIRES(the_lock) { call.respond(std::move(response)); });
    settle();
    return true;
}

/// Wakes the application for its requests, once for all that arrive before it comes.
void Transport::wake_application() {
    const bool has_some = shared_.lines.application.size() > 0 || shared_.outstanding.has_news(true) || has_stopped_;
    if (!has_some || std::exchange(is_application_told_, true)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(requests_.get(), &one, sizeof one);
}

std::vector<Ended> Transport::ended() {
    const Lock lock(mutex_);
    return shared_.ended.hand_over();
}

std::vector<Event> Transport::events(bool are_new) {
    const Lock lock(mutex_);
    return shared_.events.list(are_new);
}

SlicedDepth Transport::sliced() {
    const Lock lock(mutex_);
    return shared_.sliced();
}

Figures Transport::figures() {
    const Lock lock(mutex_);
    return {.connections = double(shared_.connections[false]),
            .http_connections = double(shared_.connections[true]),
            .requests = double(shared_.requests.used()),
            .connections_begun = double(shared_.begun.connections),
            .calls = double(shared_.open.used()),
            .calls_begun = double(shared_.begun.calls),
            .slots = double(shared_.slots.used()),
            .waiting = double(shared_.lines.size() + shared_.lines.application.size()),
            .taken = double(shared_.outstanding.size()),
            .wait_s = std::max(shared_.lines.metered.wait_s(), shared_.lines.small.wait_s()),
            .held_bytes = double(shared_.held.used()),
            .making_bytes = double(shared_.making.used()),
            .unread_bytes = double(shared_.unread.used()),
            .received_bytes = double(shared_.begun.received_bytes),
            .sent_bytes = double(shared_.begun.sent_bytes),
            .resets = double(shared_.begun.resets),
            .reading = double(shared_.reading.size()),
            .deadlines = double(shared_.deadlines.size()),
            .watchers = double(shared_.watchers.size()),
            .uncounted = double(shared_.ended.uncounted()),
            .rests = double(sockets_.rests()),
            .lag_s = std::exchange(max_lag_s_, 0)};
}

double Transport::quiet_s() {
    const Lock lock(mutex_);
    return now() - shared_.began;
}

/// Polls the sockets while no other thread does, and ends what has timed out. Runs in the transport's own thread.
void Transport::look_after() {
    const Lock lock(mutex_);
    std::uint64_t polls = 0;  // when it last looked around
    while (!has_stopped_) {
        const double time = now();
        try {
            if (!is_polling_ && time - polled_at_ >= unattended_s) {
                max_lag_s_ = std::max(max_lag_s_, time - polled_at_);
                poll(0);
                if (idle_) changed_.notify_one();  // who came meanwhile waits, and is to look from now on
            }
            if (time >= shared_.due.time() && time - ticked_at_ >= ticks_s) tick(time);
        } catch (const std::bad_alloc&) {  // there may be memory the next time: without this thread no deadline ends
            shared_.due.by(0);
        }
        // Who sleeps at the sockets looks at them meanwhile, and wakes this thread once something has come.
        const bool may_rest = is_polling_ && polls_ == std::exchange(polls, polls_);
        rests_until_ = may_rest ? std::max(shared_.due.time(), ticked_at_ + ticks_s) : 0;
        const double wait_s = may_rest      ? std::min(rests_until_ - now(), max_sleep_s)
                              : is_polling_ ? ticks_s
                                            : unattended_s;
        mutex_.wait(looked_, wait_s);
        rests_until_ = 0;
    }
}

/// Wakes the transport's own thread if it would sleep past `by`.
void Transport::wake_own(double by) {
    if (rests_until_ <= by) return;
    rests_until_ = 0;
    looked_.notify_all();
}

void Transport::tick(double time) {
    ticked_at_ = time;
    shared_.due.clear();
    shared_.end_expired(time);
    shared_.end_stalled(time);
    sockets_.tick(time);
    shared_.unpark_all();
    shared_.turns.rest();
    std::erase_if(shared_.networks, [&](auto& entry) REQUIRES(the_lock) {
        Network& network = entry.second;
        if (!network.forget_callers() || network.open() > 0 || network.account.start_tag() > shared_.turns.time())
            return false;
        if (network.rests_until > time) shared_.due.by(network.rests_until);
        else shared_.parking.erase(&network);
        return network.rests_until <= time;
    });
    settle();
    sockets_.listen();
}

void Transport::drain() {
    const Lock lock(mutex_);
    shared_.set_serving(false, shared_.settings.health_services);
    shared_.is_draining = true;
    sockets_.drain();
    settle();
}

bool Transport::is_idle() const { return shared_.owed.used() == 0 && sockets_.are_flushed(); }

bool Transport::wait_idle(double timeout_s) {
    const double end = now() + timeout_s;
    const Lock lock(mutex_);
    while (!is_idle()) {
        if (now() >= end) return false;
        mutex_.wait(looked_, ticks_s);
    }
    return true;
}

void Transport::stop(double grace_s) {
    std::thread own = end_all(now() + grace_s);
    if (own.joinable()) own.join();
}

/// Ends all connections, by that time at the latest, and returns the transport's own thread, which is ending.
std::thread Transport::end_all(double end) {
    const Lock lock(mutex_);
    if (has_stopped_) return {};
    sockets_.go_away();
    settle();
    while (!sockets_.are_closed() && now() < end) mutex_.wait(looked_, ticks_s);
    sockets_.close_all();
    has_stopped_ = true;
    changed_.notify_all();
    looked_.notify_all();
    sockets_.wake();
    wake_application();
    return std::move(own_);
}

}  // namespace transport
