#include "line.hpp"

#include <algorithm>
#include <cmath>

#include "call.hpp"

namespace front {
namespace {
constexpr double memory_s = 0.5;  // in which what was seen of the line's speed fades by a factor of e
constexpr double overhead = 64;   // bytes that a message costs besides its own
}  // namespace

void Line::put(Message& message) {
    Flow& flow = flows_[message.call->caller];
    message.tag = std::max(virtual_time_, flow.end);
    flow.end = message.tag + double(message.content.size()) + overhead;
    ++flow.waiting;
    bytes_ += message.content.size();
    order_.emplace(message.tag, message.id, &message);
}

void Line::put_first(Message& message) {
    message.tag = -1;
    bytes_ += message.content.size();
    order_.emplace(message.tag, message.id, &message);
}

void Line::remove(Message& message) {
    order_.erase({message.tag, message.id, &message});
    forget(message);
}

Message* Line::take() {
    if (order_.empty()) return nullptr;
    Message& message = *std::get<Message*>(*order_.begin());
    order_.erase(order_.begin());
    virtual_time_ = std::max(virtual_time_, message.tag);
    forget(message);
    return &message;
}

void Line::forget(Message& message) {
    bytes_ -= message.content.size();
    if (message.tag < 0) return;
    const auto flow = flows_.find(message.call->caller);
    if (--flow->second.waiting == 0) flows_.erase(flow);
}

void Line::moved(std::size_t bytes, double now) {
    if (was_waiting_) {
        const double passed = now - moved_at_, kept = std::exp(-passed / memory_s);
        rate_bytes_ = rate_bytes_ * kept + double(bytes);
        rate_s_ = rate_s_ * kept + passed;
    }
    moved_at_ = now;
    was_waiting_ = !order_.empty();
}

}  // namespace front
