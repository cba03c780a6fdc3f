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

/// Takes a message's content out of it: last, so that it has that still where there is no memory for the rest.
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
    const Endpoint& from = call.endpoint();
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

/// Returns whether a long message is to be read before it can be taken in slices.
bool is_to_read(const Message& message, const TakeLimits& most) {
    return message.is_long && most.path != 0 && !(message.job && message.job->is_whole());
}

}  // namespace

bool Taker::has_some(const TakeLimits& most) {
    Lines& lines = shared_.lines;
    const Allowed allowed = this->allowed(most, now());
    return lines.unmetered.size() > 0 || (most.messages > 0 && lines.metered.first(allowed)) ||
           (most.small > 0 && lines.small.first(allowed)) || shared_.outstanding.has_news();
}

double Taker::costly_wait_s() const { return shared_.lines.has_costly() ? cheap_s : never; }

bool Taker::has_hasty_callers() const { return now() - cheap_at_ <= cheap_s; }

void Taker::come_back() { costly_.erase(std::this_thread::get_id()); }

void Taker::take(const TakeLimits& most, Batch& batch) {
    Lines& lines = shared_.lines;
    take_from(lines.unmetered, max_unmetered, most, batch);
    batch.work = take_small(most, batch);
    lines.small.moved(batch.work, now());
    lines.metered.moved(take_from(lines.metered, most.messages, most, batch), now());
    batch.gone = shared_.outstanding.hand_over_gone();
}

/// Returns how much work was taken.
double Taker::take_from(Line& line, std::size_t max_messages, const TakeLimits& most, Batch& batch) {
    const double time = now();
    std::size_t bytes = 0;
    double work = 0;
    for (std::size_t count = 0; count < max_messages;) {
        Message* const message = line.first(allowed(most, time));
        if (!message || (bytes > 0 && bytes + message->size > most.bytes)) break;
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

/// Takes small requests whole, slices of long ones, and a long one that is to be read, all in fair order. Returns how much work was
/// taken of what is computed.
double Taker::take_small(const TakeLimits& most, Batch& batch) {
    Together together{.time = now()};
    while (together.count < most.small) {
        Allowed allowed = this->allowed(most, together.time);
        allowed.begin = allowed.begin && !batch.unread;
        Message* const message = shared_.lines.small.first(allowed);
        if (!message || (message->is_long && !most.takes_long)) break;
        if (batch.unread && is_to_read(*message, most)) break;  // one is read at a time
        if (set_aside(*message, most, together.time, batch)) continue;
        if (!take_together(*message, most, together, batch)) break;
    }
    since_modest_ += together.count > 0;
    return together.work;
}

/// Does to a message whose turn it is what has to be done before it is computed: true where it stands in the line no more, or anew.
bool Taker::set_aside(Message& message, const TakeLimits& most, double time, Batch& batch) {
    Call& call = *message.call;
    const bool is_begun = message.job && message.job->is_whole();
    if (call.deadline() <= time) {
        call.expire();
    } else if (message.job && message.job->path != most.path) {
        call.start_over(message, *message.line);
    } else if (!is_begun && message.reserved == 0 && !reserve(message)) {
        shared_.park(message);
    } else if (is_to_read(message, most)) {  // which comes after the others are answered
        if (message.is_costly) costly_.emplace(std::this_thread::get_id(), time);
        batch.unread = set_apart(message, most.path);
    } else {
        return false;
    }
    return true;
}

/// Takes a message, or a slice of it, to be computed with those that were taken before; false where the batch ends by it, or before it.
bool Taker::take_together(Message& message, const TakeLimits& most, Together& together, Batch& batch) {
    const bool is_sliced = message.is_long && most.path != 0, is_costly = message.is_costly;
    if (is_for_another(message, most, together.count, together.has_modest)) return false;
    const Line& line = *message.line;
    const Account& account = *message.account;
    if (is_sliced) {
        together.work += take_slice(message, most.slices.beside(together.count, together.bytes), batch);
        together.bytes += batch.slices.back().bytes;
        together.count += batch.slices.back().sentences();
    } else {
        const bool is_too_much =
            together.bytes + message.size > most.small_bytes || together.work + message.work > most.soon_s;
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

/// Returns whether a batch of so many ends before a message. Who has all that it asked for in it isn't to wait for the company of one who
/// has a thousand calls, or of a list that doesn't end with it; nor, who asks again soon, for the end of a large batch of theirs.
bool Taker::is_for_another(const Message& message, const TakeLimits& most, std::size_t count, bool has_modest) const {
    const bool is_sliced = message.is_long && most.path != 0;
    const Line& line = *message.line;
    const bool is_much = is_sliced ? message.job->untaken() > most.small - count
                                   : line.messages(*message.account) > most.small || line.waiting(*message.account) > most.soon_s;
    return is_much && (has_modest || (2 * count >= most.small && since_modest_ < lately));
}

/// Returns what one may take. Long requests aren't begun while the rows of those that were take too much; and what keeps a thread for
/// long leaves one to others, while there are any.
Allowed Taker::allowed(const TakeLimits& most, double time) const {
    const bool may_begin = most.takes_long && (most.path == 0 || !shared_.making.is_full());
    const auto costly = std::count_if(costly_.begin(), costly_.end(), [time](const auto& of) { return time - of.second < given_up_s; });
    return {may_begin, time - cheap_at_ > cheap_s || std::size_t(costly) + 1 < std::max<std::size_t>(most.runs, 2)};
}

/// Counts what is expected of the answer to a message that waits among what its caller, its network and all others have not read: false
/// where that would be too much. Of all together, whoever has clearly more unread gives way.
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

/// Has a long message stand apart while it, or some more of it, is read.
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

/// Returns how much work was taken.
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

void Taker::take_requests(std::size_t most, HttpRequests& taken) {
    const double time = now();
    while (taken.requests.size() < most) {
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
