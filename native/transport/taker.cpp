// Takes what waits in the lines: messages for who computes or for Python, requests for the application.
#include "taker.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "failure.hpp"
#include "http_call.hpp"
#include "peer.hpp"

namespace transport {
namespace {

constexpr std::size_t max_unmetered = 16;  // of one batch, so that no flood of them keeps all else waiting
constexpr double enough_of = 0.125;  // of the time that a batch may take, while one who asks for little may ask again
constexpr std::size_t little_of = 256;  // part of a network's bound on unread bytes that each connection has to itself
constexpr std::size_t lately = 64;  // batches within which one who asks for little may ask again

/// Takes a message's content out of it; as the last step, so that the message keeps it if memory for the rest fails.
TakenMessage taken_of(Message& message) REQUIRES(the_lock) {
    const Call& call = *message.call;
    TakenMessage taken{.id = message.id,
                       .method = call.method(),
                       .content = {},
                       .deadline = call.deadline(),
                       .metadata = call.metadata(),
                       .caller = call.caller(),
                       .network = call.network().number,
                       .arrived = message.arrived,
                       .inflated_size = message.size,
                       .is_compressed = message.is_compressed,
                       .is_lost = false,
                       .is_plain = call.is_plain() && !message.is_for_python,
                       .is_http = call.is_http(),
                       .is_in_stream = call.is_stream(),
                       .key_digest = call.key_digest(),
                       .usage = call.usage()};
    taken.content.swap(message.content);
    return taken;
}

HttpRequest request_of(Message& message) REQUIRES(the_lock) {
    const HttpCall& call = static_cast<HttpCall&>(*message.call);
    const PeerAddress& from = call.peer_address();
    HttpRequest made{.id = message.id,
                     .listener = from.listener,
                     .method = call.is_of_method() ? std::optional(call.method()) : std::nullopt,
                     .verb = call.head.verb,
                     .target = call.head.target,
                     .version = call.head.version.empty() ? "2" : call.head.version,
                     .headers = {},
                     .body = {},
                     .is_whole = call.is_whole(),
                     .address = from.address,
                     .port = from.port,
                     .is_encrypted = from.is_encrypted,
                     .key_digest = call.key_digest(),
                     .caller = call.caller(),
                     .network = call.network().number,
                     .arrived = message.arrived,
                     .deadline = call.deadline()};
    for (const auto& [name, value] : call.head.fields()) made.headers.emplace_back(name, value);
    made.body.swap(message.content);
    return made;
}

/// Returns whether a submission can't be computed: it is of models that others have replaced, or it is late.
bool is_unwanted(const Job& job, const Taking& taking) {
    return job.path != taking.limits.path || job.deadline() <= taking.time;
}

/// Returns whether a long message has to be parsed before it can be taken in slices.
bool is_to_read(const Message& message, const TakeLimits& limits) {
    return message.is_long && limits.path != 0 && !(message.job && message.job->is_whole());
}

}  // namespace

void Taker::take(Taking& taking) {
    Lines& lines = shared_.lines;
    taking.goes_on = false;
    std::size_t unmetered_bytes = 0;
    take_from(lines.unmetered, max_unmetered, taking, taking.unmetered, unmetered_bytes);
    double small = 0, metered = 0;
    std::size_t before = unlimited;
    while (std::exchange(before, taking.count()) != taking.count()) {  // in turns of both lines
        small += take_small(taking);
        metered += take_from(lines.metered, taking.limits.messages, taking, taking.metered, taking.metered_bytes);
    }
    taking.batch.work += small;
    const double time = now();
    if (small > 0) shared_.all->taken_at = time;
    lines.small.moved(small, time);
    lines.metered.moved(metered, time);
    for (const std::uint64_t id : shared_.outstanding.hand_over_gone()) taking.batch.gone.push_back(id);
}

/// Takes messages from `line`, of which `count` with so many `bytes` are in the batch; returns their work, in seconds.
double Taker::take_from(Line& line, std::size_t max_messages, Taking& taking, std::size_t& count, std::size_t& bytes) {
    double work = 0;
    while (count < max_messages) {
        Message* const message = line.first(allowed(taking));
        if (!message || (bytes > 0 && bytes + message->size > taking.limits.bytes)) break;
        if (&line == &shared_.lines.metered && is_behind_plain(*message, taking)) break;
        const bool may_yield = &line != &shared_.lines.unmetered && (count > 0 || taking.yields);
        if (may_yield && is_overtaken(*message, taking)) break;
        if (message->call->deadline() <= taking.time) {
            message->call->expire();
        } else if (message->is_costly && !begin_costly(taking)) {
            break;
        } else if (!reserve(*message)) {
            shared_.park(*message);
        } else {
            ++count;
            bytes += message->size;
            work += message->work;
            hand_over(*message, taking.batch);
        }
    }
    return work;
}

/// Takes small requests whole, slices of long ones, and one long request to parse, all in fair order. Returns the work
/// of what is computed, in seconds.
double Taker::take_small(Taking& taking) {
    const std::size_t count = taking.small;
    const double work = taking.work;
    while (taking.small < taking.limits.small && !taking.is_full) {
        Allowed allowed = this->allowed(taking);
        allowed.begin = allowed.begin && !taking.batch.unread;
        Message* const message = shared_.lines.small.first(allowed);
        if (!message) break;
        if (taking.batch.unread && is_to_read(*message, taking.limits)) break;  // one is read at a time
        if (is_behind_python(*message, taking)) break;
        if ((taking.small > 0 || taking.yields) && is_overtaken(*message, taking)) break;
        if (set_aside(*message, taking)) continue;
        taking.is_full = !take_together(*message, taking);
    }
    if (count == 0 && taking.small > 0) ++shared_.all->since_modest, ++shared_.all->since_few;
    return taking.work - work;
}

/// Returns whether a message of another shard has its turn before this one.
bool Taker::is_overtaken(const Message& message, Taking& taking) const {
    taking.goes_on = taking.next.is_before(Shared::turn_of(message));
    return taking.goes_on;
}

/// Returns whether a message for Python has its turn after one that some thread answers without Python.
bool Taker::is_behind_plain(const Message& message, const Taking& taking) {
    const Message* const plain = shared_.lines.small.first(allowed(taking));
    return plain && Line::turn_of(*plain) < Line::turn_of(message) && shared_.all->moves(plain->arrived, taking.time);
}

/// Returns whether a message that needs no Python has its turn after one that this thread may take for Python.
bool Taker::is_behind_python(const Message& message, const Taking& taking) {
    if (taking.metered >= taking.limits.messages) return false;
    const Message* const first = shared_.lines.metered.first(allowed(taking));
    const bool fits = first && (taking.metered_bytes == 0 || taking.metered_bytes + first->size <= taking.limits.bytes);
    return fits && Line::turn_of(*first) < Line::turn_of(message);
}

/// Handles a message that can't be computed in its turn; returns true if it has left the line, or is in a new place.
bool Taker::set_aside(Message& message, Taking& taking) {
    const TakeLimits& limits = taking.limits;
    Call& call = *message.call;
    const bool is_begun = message.job && message.job->is_whole();
    if (call.deadline() <= taking.time) {
        call.expire();
    } else if (message.job && message.job->is_submitted() && is_unwanted(*message.job, taking)) {
        const Outcome outcome = message.job->path != limits.path ? Outcome::replaced : Outcome::late;
        taking.batch.returned.push_back({message.job, outcome});
        call.take_back(message);
    } else if (message.job && message.job->path != limits.path) {
        call.start_over(message, *message.line);
    } else if (!is_begun && message.reserved == 0 && !reserve(message)) {
        shared_.park(message);
    } else if (is_to_read(message, limits)) {  // which comes after the others are answered
        taking.is_full = message.is_costly && !begin_costly(taking);
        if (!taking.is_full) taking.batch.unread = set_apart(message, limits.path);
    } else {
        return false;
    }
    return true;
}

/// Adds a message, or a slice of it, to those that are computed together; returns false if the batch ends with it or
/// before it.
bool Taker::take_together(Message& message, Taking& taking) {
    const TakeLimits& limits = taking.limits;
    Batch& batch = taking.batch;
    const bool is_sliced = message.is_long && limits.path != 0, is_costly = message.is_costly;
    if (is_for_another(message, taking)) return false;
    const Line& line = *message.line;
    const Account& account = *message.account;
    const Network& network = message.call->network();
    if (is_sliced) {
        if (is_costly && !begin_costly(taking)) return false;
        taking.work += take_slice(message, limits.slices.together_with(taking.small, taking.small_bytes), batch);
        taking.small_bytes += batch.slices.back().bytes;
        taking.small += batch.slices.back().sentences();
    } else {
        const bool is_too_much =
            taking.small_bytes + message.size > limits.small_bytes || taking.work + message.work > limits.soon_s;
        if (taking.small_bytes > 0 && is_too_much) return false;
        if (is_costly && !begin_costly(taking)) return false;
        ++taking.small;
        taking.small_bytes += message.size;
        taking.work += message.work;
        hand_over(message, batch);
    }
    const bool is_modest = line.waiting(account) == 0;
    if (is_modest && !is_sliced) shared_.all->since_modest = 0;
    taking.has_modest = taking.has_modest || is_modest;
    // All shards count what a network has asked for; of what waits, this one sees its own part.
    const bool is_of_few = line.messages(account.network()) == 0 && 2 * network.slots.used() <= limits.small;
    if (is_of_few && !is_sliced) {
        shared_.all->few_of = network.number;
        shared_.all->since_few = 0;
    }
    taking.has_few = taking.has_few || is_of_few;
    if (!is_costly) shared_.all->cheap_at = taking.time;
    return !is_costly;
}

/// Returns whether a batch ends before this message. A caller whose whole request is in the batch must not wait for the
/// rest of a list, or of a caller with a thousand calls, nor a network with few for one whose callers have so many; nor,
/// if it asks again soon, for the end of their large batch.
bool Taker::is_for_another(const Message& message, const Taking& taking) const {
    const TakeLimits& limits = taking.limits;
    const Totals& all = *shared_.all;
    const bool is_sliced = message.is_long && limits.path != 0;
    const bool is_half = 2 * taking.small >= limits.small;
    const Line& line = *message.line;
    const bool is_much =
        is_sliced ? message.job->untaken() > limits.small - taking.small
                  : line.messages(*message.account) > limits.small || line.waiting(*message.account) > limits.soon_s;
    if (is_much && (taking.has_modest || (is_half && all.since_modest < lately))) return true;
    const Network& network = message.call->network();
    const bool is_enough = is_half || taking.work >= enough_of * limits.soon_s;
    return network.slots.used() > limits.small &&
           (taking.has_few || (is_enough && all.since_few < lately && all.few_of != network.number));
}

/// Returns what a thread may take. No long request is started while the rows of started ones use too much memory; and
/// while there are quick requests, one thread is kept free from those that take long.
Allowed Taker::allowed(const Taking& taking) const {
    const TakeLimits& limits = taking.limits;
    const bool may_begin = limits.path == 0 || !shared_.making.is_full();
    return {may_begin, shared_.all->costly.count(taking.time) < max_costly(taking)};
}

/// Returns how many threads may be kept for long by what they take.
std::size_t Taker::max_costly(const Taking& taking) const {
    const bool has_quick = taking.time - shared_.all->cheap_at <= cheap_s;
    return has_quick ? std::max<std::size_t>(taking.limits.runs, 2) - 1 : unlimited;
}

/// Notes that the thread is about to take something costly; returns false where another thread, in another shard, was
/// first.
bool Taker::begin_costly(const Taking& taking) { return shared_.all->costly.begin(taking.time, max_costly(taking)); }

/// Counts the expected answer to a waiting message as unread by its caller, its network and all; returns false if that
/// would exceed a limit. If only the total is exceeded, a network with clearly more unread bytes gives way. A connection
/// with little unread waits for no other of its network.
bool Taker::reserve(Message& message) {
    Call& call = *message.call;
    const std::size_t bytes = message.expected;
    while (!shared_.unread.has_room_for(bytes) && shared_.shed_unread_for(call.network(), bytes)) {
    }
    const std::size_t little = shared_.settings.limits.network_unread_bytes / little_of;
    const bool is_little = !call.peer().peer_address.is_trusted && call.peer().unread.used() + bytes <= little;
    const bool has_room = call.peer().unread.has_room_for(bytes) &&
                          (is_little || call.network().unread.has_room_for(bytes)) &&
                          shared_.unread.has_room_for(bytes);
    if (has_room) call.reserve(message, bytes);
    return has_room;
}

void Taker::hand_over(Message& message, Batch& batch) {
    batch.messages.emplace_back();
    const OnFailure undo([&]() REQUIRES(the_lock) {
        batch.messages.pop_back();
        shared_.outstanding.remove(message.id);
    });
    shared_.outstanding.add(message);
    batch.messages.back() = taken_of(message);
    message.line->take(message);
    message.call->handed_over(message);
}

/// Takes a long message out of turn while a part of it is parsed.
std::shared_ptr<Job> Taker::set_apart(Message& message, std::uint64_t path) {
    if (message.job) {
        message.line->set_apart(message);
        return message.job;
    }
    shared_.outstanding.add(message);
    const OnFailure undo([&]() REQUIRES(the_lock) { shared_.outstanding.remove(message.id); });
    TakenMessage taken = taken_of(message);
    const OnFailure give_back([&] { message.content.swap(taken.content); });
    auto job = std::make_shared<Job>(path, std::move(taken));
    message.line->set_apart(message);
    message.job = job;
    message.call->shared_out(message);
    return job;
}

/// Takes a slice of a message; returns its work, in seconds.
double Taker::take_slice(Message& message, const SliceLimits& limits, Batch& batch) {
    Slice& slice = batch.slices.emplace_back();
    slice = Job::cut(message.job, limits);
    if (message.job->untaken() == 0) {
        message.line->take(message);
        message.state = Message::State::taken;
    } else {
        message.line->take_slice(message, slice.work);
    }
    return slice.work;
}

void Taker::submit(Message& message, std::uint64_t path, Submission submission, std::size_t dimension,
                   const Pace& pace) {
    const auto job = std::make_shared<Job>(path, taken_of(message), std::move(submission), dimension);
    job->set_pace(pace);
    message.call->submitted(message, shared_.lines.small, job, job->bytes(dimension));
}

void Taker::take_requests(std::size_t max_requests, HttpRequests& taken) {
    const double time = now();
    while (taken.requests.size() < max_requests) {
        Message* const message = shared_.lines.application.first();
        if (!message || shared_.all->is_overtaken(Shared::turn_of(*message), time)) break;
        if (message->call->deadline() <= time) {
            message->call->expire();
            continue;
        }
        if (!reserve(*message)) {
            shared_.park(*message);
            continue;
        }
        taken.requests.emplace_back();
        const OnFailure undo([&]() REQUIRES(the_lock) {
            taken.requests.pop_back();
            shared_.outstanding.remove(message->id);
        });
        shared_.outstanding.add(*message);
        taken.requests.back() = request_of(*message);
        shared_.lines.application.take(*message);
        message->call->handed_over(*message);
    }
    for (const std::uint64_t id : shared_.outstanding.hand_over_gone(true)) taken.gone.push_back(id);
}

}  // namespace transport
