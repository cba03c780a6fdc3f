// Requests over HTTP on their way to the application, and its responses.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "http_call.hpp"
#include "transport.hpp"

namespace transport {
namespace {

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
                     .body = std::exchange(message.content, {}),
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
    return made;
}

}  // namespace

void Transport::pass_on(Batch& batch) {
    if (std::none_of(batch.messages.begin(), batch.messages.end(), [](const Taken& taken) { return taken.is_http; })) return;
    const Lock lock(mutex_);
    for (Taken& taken : batch.messages) {
        Message* const message = taken.is_http ? shared_.outstanding.remove(taken.id) : nullptr;
        if (message) message->call->pass_on(*message, std::move(taken.content));
    }
    std::erase_if(batch.messages, [](const Taken& taken) { return taken.is_http; });
    settle();
}

std::optional<HttpRequests> Transport::take_requests(std::size_t most) {
    const Lock lock(mutex_);
    std::uint64_t ignored = 0;
    if (has_stopped_) return std::nullopt;  // and it stays readable
    if (std::exchange(is_application_told_, false)) [[maybe_unused]] const ssize_t got = ::read(requests_, &ignored, sizeof ignored);
    HttpRequests taken;
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
        shared_.lines.application.take(*message);
        shared_.outstanding.add(*message);
        message->call->handed_over(*message);
        taken.requests.push_back(request_of(*message));
    }
    taken.gone = shared_.outstanding.hand_over_gone(true);
    settle();
    return taken;
}

bool Transport::respond(std::uint64_t id, Response response) {
    const Lock lock(mutex_);
    Message* const message = shared_.outstanding.find(id);
    if (!message || message->line != &shared_.lines.application) return false;
    shared_.outstanding.remove(id);
    static_cast<HttpCall*>(message->call)->respond(std::move(response));
    settle();
    return true;
}

/// Has the application come for what there is for it, once for all that comes before it does.
void Transport::wake_application() {
    const bool has_some = shared_.lines.application.size() > 0 || shared_.outstanding.has_news(true) || has_stopped_;
    if (!has_some || std::exchange(is_application_told_, true)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(requests_, &one, sizeof one);
}

}  // namespace transport
