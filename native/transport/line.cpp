#include "line.hpp"

#include <algorithm>
#include <cmath>

#include "message.hpp"

namespace transport {
namespace {
constexpr double memory_s = 0.5;  // in which what was seen of the line's speed fades by a factor of e
constexpr double least_kept = 0.5;
constexpr double overhead = 64;   // bytes that a message costs besides its own

double work_of(const Message& message) { return double(message.size) + overhead; }
}  // namespace

void Line::put(Message& message) {
    Flow& flow = flows_[message.caller];
    message.tag = std::max(virtual_time_, flow.end);
    flow.end = message.tag + work_of(message);
    flow.waiting += work_of(message);
    bytes_ += message.size;
    order_.emplace(message.tag, message.id, &message);
}

void Line::remove(Message& message) {
    order_.erase({message.tag, message.id, &message});
    Flow& flow = flows_.find(message.caller)->second;
    if (flow.end == message.tag + work_of(message)) flow.end = message.tag;
    forget(message);
}

Message* Line::take_message() {
    Message* const message = first();
    if (!message) return nullptr;
    order_.erase(order_.begin());
    virtual_time_ = std::max(virtual_time_, message->tag);
    forget(*message);
    return message;
}

double Line::waiting(std::uint64_t caller) const {
    const auto found = flows_.find(caller);
    return found == flows_.end() ? 0 : found->second.waiting;
}

void Line::forget(Message& message) {
    bytes_ -= message.size;
    flows_.find(message.caller)->second.waiting -= work_of(message);
    if (order_.empty()) flows_.clear();  // nobody has had more than others, of what nobody waited for
}

double Line::wait_s_of_last() const {
    const Message* const message = last();
    return message ? time_of(double(bytes_ - message->size)) : 0;
}

double Line::wait_s(std::uint64_t caller) const {
    const auto own = flows_.find(caller);
    const double tag = own == flows_.end() ? virtual_time_ : std::max(virtual_time_, own->second.end);
    double before = 0;
    for (const auto& [number, flow] : flows_) before += std::clamp(tag - (flow.end - flow.waiting), 0.0, flow.waiting);
    return time_of(before);
}

void Line::moved(std::size_t bytes, double now) {
    if (was_waiting_ && bytes == 0) return;  // nobody wanted any: how long that lasts, the next one who does will tell
    if (was_waiting_) {
        // However long one pause was, what was seen before it counts for half: a line that stood still once isn't slow.
        const double passed = now - moved_at_, kept = std::max(std::exp(-passed / memory_s), least_kept);
        rate_bytes_ = rate_bytes_ * kept + double(bytes);
        rate_s_ = rate_s_ * kept + passed;
    }
    moved_at_ = now;
    was_waiting_ = !order_.empty();
}

}  // namespace transport
