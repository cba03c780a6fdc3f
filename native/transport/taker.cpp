// Takes what waits in the lines: messages for who computes or for Python, requests for the application.
#include "taker.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "failure.hpp"
#include "http_call.hpp"

namespace transport {
namespace {

constexpr std::size_t max_unmetered = 16;  // of one batch, so that no flood of them keeps all else waiting
constexpr double given_up_s = 30;   // after which a thread is taken for one that hangs
constexpr double cheap_s = 0.02;    // for which others count, once they were taken, where something is costly
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

/// Returns whether a long message has to be parsed before it can be taken in slices.
bool is_to_read(const Message& message, const TakeLimits& limits) {
    return message.is_long && limits.path != 0 && !(message.job && message.job->is_whole());
}

}  // namespace

bool Taker::has_some(const TakeLimits& limits) {
    Lines& lines = shared_.lines;
    const Allowed allowed = this->allowed(limits, now());
    return lines.unmetered.size() > 0 || (limits.messages > 0 && lines.metered.first(allowed)) ||
           (limits.small > 0 && lines.small.first(allowed)) || shared_.outstanding.has_news();
}

double Taker::costly_wait_s() const { return shared_.lines.has_costly() ? cheap_s : never; }

bool Taker::has_hasty_callers() const { return now() - cheap_at_ <= cheap_s; }

void Taker::come_back() { costly_.erase(std::this_thread::get_id()); }

void Taker::take(const TakeLimits& limits, Batch& batch) {
    Lines& lines = shared_.lines;
    take_from(lines.unmetered, max_unmetered, limits, batch);
    batch.work = take_small(limits, batch);
    lines.small.moved(batch.work, now());
    lines.metered.moved(take_from(lines.metered, limits.messages, limits, batch), now());
    batch.gone = shared_.outstanding.hand_over_gone();
}

/// Takes messages from `line`; returns the work that they hold, in seconds.
double Taker::take_from(Line& line, std::size_t max_messages, const TakeLimits& limits, Batch& batch) {
    const double time = now();
    std::size_t bytes = 0;
    double work = 0;
    for (std::size_t count = 0; count < max_messages;) {
        Message* const message = line.first(allowed(limits, time));
        if (!message || (bytes > 0 && bytes + message->size > limits.bytes)) break;
        if (message->call->deadline() <= time) {
            message->call->expire();
        } else if (!reserve(*message)) {
            shared_.park(*message);
        } else {
            ++count;
            bytes += message->size;
            work += message->work;
            if (message->is_costly) costly_.emplace(std::this_thread::get_id(), time);
            hand_over(*message, batch);
        }
    }
    return work;
}

/// Takes small requests whole, slices of long ones, and one long request to parse, all in fair order. Returns the work
/// of what is computed, in seconds.
double Taker::take_small(const TakeLimits& limits, Batch& batch) {
    Together together{.time = now()};
    while (together.count < limits.small) {
        Allowed allowed = this->allowed(limits, together.time);
        allowed.begin = allowed.begin && !batch.unread;
        Message* const message = shared_.lines.small.first(allowed);
        if (!message || (message->is_long && !limits.takes_long)) break;
        if (batch.unread && is_to_read(*message, limits)) break;  // one is read at a time
        if (set_aside(*message, limits, together.time, batch)) continue;
        if (!take_together(*message, limits, together, batch)) break;
    }
    since_modest_ += together.count > 0;
    return together.work;
}

/// Handles a message that can't be computed in its turn; returns true if it has left the line, or is in a new place.
bool Taker::set_aside(Message& message, const TakeLimits& limits, double time, Batch& batch) {
    Call& call = *message.call;
    const bool is_begun = message.job && message.job->is_whole();
    if (call.deadline() <= time) {
        call.expire();
    } else if (message.job && message.job->path != limits.path) {
        call.start_over(message, *message.line);
    } else if (!is_begun && message.reserved == 0 && !reserve(message)) {
        shared_.park(message);
    } else if (is_to_read(message, limits)) {  // which comes after the others are answered
        if (message.is_costly) costly_.emplace(std::this_thread::get_id(), time);
        batch.unread = set_apart(message, limits.path);
    } else {
        return false;
    }
    return true;
}

/// Adds a message, or a slice of it, to those that are computed together; returns false if the batch ends with it or
/// before it.
bool Taker::take_together(Message& message, const TakeLimits& limits, Together& together, Batch& batch) {
    const bool is_sliced = message.is_long && limits.path != 0, is_costly = message.is_costly;
    if (is_for_another(message, limits, together.count, together.has_modest)) return false;
    const Line& line = *message.line;
    const Account& account = *message.account;
    if (is_sliced) {
        together.work += take_slice(message, limits.slices.together_with(together.count, together.bytes), batch);
        together.bytes += batch.slices.back().bytes;
        together.count += batch.slices.back().sentences();
    } else {
        const bool is_too_much =
            together.bytes + message.size > limits.small_bytes || together.work + message.work > limits.soon_s;
        if (together.bytes > 0 && is_too_much) return false;
        ++together.count;
        together.bytes += message.size;
        together.work += message.work;
        hand_over(message, batch);
    }
    const bool is_modest = line.waiting(account) == 0;
    if (is_modest && !is_sliced) since_modest_ = 0;
    together.has_modest = together.has_modest || is_modest;
    if (is_costly) costly_.emplace(std::this_thread::get_id(), together.time);
    else cheap_at_ = together.time;
    return !is_costly;
}

/// Returns whether a batch of `count` ends before this message. A caller whose whole request is in the batch must not
/// wait for the rest of a list, or of a caller with a thousand calls; nor, if it asks again soon, for the end of their
/// large batch.
bool Taker::is_for_another(const Message& message, const TakeLimits& limits, std::size_t count, bool has_modest) const {
    const bool is_sliced = message.is_long && limits.path != 0;
    const Line& line = *message.line;
    const bool is_much =
        is_sliced ? message.job->untaken() > limits.small - count
                  : line.messages(*message.account) > limits.small || line.waiting(*message.account) > limits.soon_s;
    return is_much && (has_modest || (2 * count >= limits.small && since_modest_ < lately));
}

/// Returns what a thread may take. No long request is started while the rows of started ones use too much memory; and
/// while there are quick requests, one thread is kept free from those that take long.
Allowed Taker::allowed(const TakeLimits& limits, double time) const {
    const bool may_begin = limits.takes_long && (limits.path == 0 || !shared_.making.is_full());
    const auto costly =
        std::count_if(costly_.begin(), costly_.end(), [time](const auto& of) { return time - of.second < given_up_s; });
    return {may_begin, time - cheap_at_ > cheap_s || std::size_t(costly) + 1 < std::max<std::size_t>(limits.runs, 2)};
}

/// Counts the expected answer to a waiting message as unread by its caller, its network and all; returns false if that
/// would exceed a limit. If only the total is exceeded, a network with clearly more unread bytes gives way.
bool Taker::reserve(Message& message) {
    Call& call = *message.call;
    const std::size_t bytes = message.expected;
    while (!shared_.unread.has_room_for(bytes) && sockets_.shed_unread_for(call.network(), bytes)) {
    }
    const bool has_room = call.peer().unread.has_room_for(bytes) && call.network().unread.has_room_for(bytes) &&
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

void Taker::take_requests(std::size_t max_requests, HttpRequests& taken) {
    const double time = now();
    while (taken.requests.size() < max_requests) {
        Message* const message = shared_.lines.application.first();
        if (!message) break;
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
    taken.gone = shared_.outstanding.hand_over_gone(true);
}

}  // namespace transport
