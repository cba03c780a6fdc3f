#include "line.hpp"

#include <algorithm>
#include <cmath>

#include "message.hpp"

namespace transport {
namespace {
constexpr double memory_s = 0.5;  // in which what was seen of the line's speed fades by a factor of e
constexpr double least_kept = 0.5;
constexpr double overhead = 64;   // bytes that a message costs besides its own
constexpr double overtaken = 2;   // as the batcher's queue has it (service/bothends/batching/scheduler.py)

double work_of(const Message& message) { return double(message.left) + overhead; }
}  // namespace

Line::Entry Line::entry(Message& message) { return {message.tag, message.id, &message}; }

std::set<Line::Entry>& Line::standing(const Message& message) { return message.is_long && !message.job ? unbegun_ : order_; }

void Line::put(Message& message) {
    Flow& flow = flows_[message.caller];
    message.left = message.size;
    message.tag = std::max(virtual_time_, flow.end);
    flow.end = message.tag + work_of(message);
    flow.waiting += work_of(message);
    bytes_ += message.left;
    ++waiting_;
    put_back(message);
}

void Line::remove(Message& message) {
    set_apart(message);
    Flow& flow = flows_.find(message.caller)->second;
    if (flow.end == message.tag + work_of(message)) flow.end = message.tag;
    forget(message);
}

Message* Line::take_message() {
    Message* const message = first();
    if (message) take(*message);
    return message;
}

void Line::take(Message& message) {
    set_apart(message);
    virtual_time_ = std::max(virtual_time_, message.tag);
    forget(message);
}

void Line::take_slice(Message& message, std::size_t bytes) {
    set_apart(message);
    virtual_time_ = std::max(virtual_time_, message.tag);
    bytes_ -= bytes;
    flows_.find(message.caller)->second.waiting -= double(bytes);
    message.left -= bytes;
    message.tag += double(bytes);
    put_back(message);
}

Message* Line::first(bool may_begin) const {
    const bool has_unbegun = may_begin && !unbegun_.empty();
    if (order_.empty()) return has_unbegun ? std::get<Message*>(*unbegun_.begin()) : nullptr;
    const Entry& found = has_unbegun ? std::min(*order_.begin(), *unbegun_.begin()) : *order_.begin();
    return std::get<Message*>(found);
}

Message* Line::last() const {
    if (size() == 0) return nullptr;
    if (order_.empty() || unbegun_.empty()) return std::get<Message*>(*(unbegun_.empty() ? order_ : unbegun_).rbegin());
    return std::get<Message*>(std::max(*order_.rbegin(), *unbegun_.rbegin()));
}

double Line::waiting(std::uint64_t caller) const {
    const auto found = flows_.find(caller);
    return found == flows_.end() ? 0 : found->second.waiting;
}

void Line::forget(Message& message) {
    bytes_ -= message.left;
    flows_.find(message.caller)->second.waiting -= work_of(message);
    if (--waiting_ == 0) flows_.clear();  // nobody has had more than others, of what nobody waited for
}

double Line::wait_s_of_last() const {
    const Message* const message = last();
    return message ? time_of(double(bytes_ - message->left)) : 0;
}

double Line::served_s(std::uint64_t caller, std::size_t bytes) const {
    return time_of(overtaken * before(caller, double(bytes)) + double(bytes));
}

/// Returns how much stands before the end of `work`, if this caller's next message holds so much.
double Line::before(std::uint64_t caller, double work) const {
    const auto own = flows_.find(caller);
    const double tag = own == flows_.end() ? virtual_time_ : std::max(virtual_time_, own->second.end);
    double found = 0;
    for (const auto& [number, flow] : flows_) found += std::clamp(tag + work - (flow.end - flow.waiting), 0.0, flow.waiting);
    return found;
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
    was_waiting_ = size() > 0;
}

}  // namespace transport
