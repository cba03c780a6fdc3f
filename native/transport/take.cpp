// What waits to those who come for it.
#include <utility>

#include "transport.hpp"
#include "grpc.hpp"

namespace transport {
namespace {
constexpr std::size_t most_unmetered = 16;  // of one batch, so that no flood of them keeps all else waiting
}  // namespace

std::optional<Batch> Transport::take_messages(const Most& most, double wait_s, double queue_s) {
    const double end = now() + wait_s;
    auto lock = enter();
    state_.queue_s = queue_s;
    if (!is_polling_ && !has_stopped_) poll(lock, 0);  // what came meanwhile makes a larger batch
    const bool is_sated = most.messages == 0;
    while (!has_stopped_ && !has_some(most)) {
        const double left = end - now();
        if (left <= 0 || woken_ > 0) break;
        if (!is_polling_) {
            if (idle_ > sated_ && state_.waiting() > 0) wake_idle();  // what this one may not take
            poll(lock, left);
        } else {
            ++idle_;
            sated_ += is_sated;
            changed_.wait_for(lock, std::chrono::duration<double>(left));
            --idle_;
            sated_ -= is_sated;
        }
    }
    if (has_stopped_) return std::nullopt;
    Batch taken = batch(most);
    taken.is_woken = woken_ > 0;
    if (woken_ > 0 && --woken_ > 0) wake();  // both may have woken this one
    if (idle_ && state_.waiting() > 0) wake_idle();  // somebody has to take the rest
    send_listed();
    lock.unlock();
    inflate(taken);
    return taken;
}

/// Returns whether there is something for one who takes no more than `most`.
bool Transport::has_some(const Most& most) const {
    return state_.unmetered.size() > 0 || (most.messages > 0 && state_.line.size() > 0) ||
           (most.small > 0 && state_.small.size() > 0) || !state_.gone.empty();
}

/// Lets a thread that waits in take look again: whoever it is for, where they don't all take the same.
void Transport::wake() {
    if (idle_) wake_idle();
    if (idle_ == sated_ && is_polling_) wake_poller();
}

/// Lets one that waits while another looks at the sockets look again; all, where there may be nothing for that one.
void Transport::wake_idle() {
    if (sated_ > 0) changed_.notify_all();
    else changed_.notify_one();
}

/// Lets one who waits in take_messages return, or who comes next.
void Transport::wake_one() {
    const auto lock = enter();
    ++woken_;
    wake();
}

/// Lets one who waits in take_messages look at the sockets, if nobody does.
void Transport::hand_over_polling() {
    const auto lock = enter();
    if (idle_ && !is_polling_) changed_.notify_one();
}

/// Takes what is to be answered by a full server, too, then the rest: each in fair order.
Batch Transport::batch(const Most& most) {
    Batch batch;
    take_from(state_.unmetered, most_unmetered, most.bytes, batch);
    state_.small.moved(take_from(state_.small, most.small, most.small_bytes, batch), now());
    state_.line.moved(take_from(state_.line, most.messages, most.bytes, batch), now());
    batch.gone.swap(state_.gone);
    return batch;
}

/// Returns how many bytes were taken.
std::size_t Transport::take_from(Line& line, std::size_t most, std::size_t most_bytes, Batch& batch) {
    const double time = now();
    std::size_t bytes = 0;
    bool are_modest = &line == &state_.small;
    for (std::size_t count = 0; count < most;) {
        Message* const message = line.first();
        if (!message || (bytes > 0 && bytes + message->size > most_bytes)) break;
        // Who has all that it asked for in this batch isn't to wait for the company of one who has a thousand calls.
        if (count > 0 && are_modest && line.waiting(message->call->caller) > double(most_bytes)) break;
        if (message->call->deadline <= time) {
            message->call->connection->end(*message->call, state_.status("expired"), "");
            continue;
        }
        ++count;
        line.take_message();
        state_.taken.emplace(message->id, message);
        bytes += message->size;
        Call& call = *message->call;
        are_modest = are_modest && line.waiting(call.caller) == 0;
        call.connection->taken(*message);
        batch.messages.push_back({message->id, call.method, std::exchange(message->content, {}), call.deadline, call.metadata,
                                  call.caller, message->arrived, message->size, message->is_compressed, false,
                                  state_.has_no_headers(call)});
    }
    return bytes;
}

/// Inflates what came compressed: once its turn has come, and while others may use the transport.
void Transport::inflate(Batch& batch) {
    for (Taken& taken : batch.messages) {
        if (!taken.is_compressed) continue;
        auto inflated = gunzip(taken.content, taken.inflated_size);
        taken.is_lost = !inflated;
        if (inflated) taken.content = std::move(*inflated);
        const auto lock = enter();
        const auto found = state_.taken.find(taken.id);
        if (found == state_.taken.end()) continue;  // its caller has left
        Message& message = *found->second;
        if (!taken.is_lost) {
            message.call->connection->count_sentences(message, taken.content);
        } else {
            state_.taken.erase(found);
            message.call->connection->refuse_taken(message);
            settle();
        }
    }
    std::erase_if(batch.messages, [](const Taken& taken) { return taken.is_lost; });
}

}  // namespace transport
