#include "line.hpp"

#include <algorithm>
#include <cmath>

#include "failure.hpp"
#include "message.hpp"

namespace transport {
namespace {
constexpr double memory_s = 0.5;  // in which what was seen of the line's speed fades by a factor of e
constexpr double min_kept = 0.5;
// Of what one take says, so that a process that was stopped isn't taken for slow.
constexpr double max_pause_s = 0.05, max_slower = 4;
constexpr double overtaken =
    2;  // times the work that was ahead of a message as it came, which others may put before it
}  // namespace

std::tuple<double, double, std::uint64_t> Line::turn_of(const Message& message) {
    return {message.account->network().start_tag(), message.account->start_tag(), message.id};
}

Line::Kind Line::kind_of(const Message& message) {
    if (message.is_long && !message.job) return message.is_costly ? unbegun_costly : unbegun;
    return message.is_costly ? costly : plain;
}

void Line::put(Message& message) {
    const OnFailure undo(
        [&] { std::erase_if(waiting_, [](const auto& entry) { return entry.second.messages == 0; }); });
    Waiting &of_caller = waiting_[message.account], &of_network = waiting_[&message.account->network()];
    put_back(message);
    // From here on nothing fails.
    message.line = this;
    message.left = message.work;
    message.account->begin_waiting();
    ++of_caller.messages;
    ++of_network.messages;
    count(message, message.left);
}

void Line::remove(Message& message) {
    if (message.parked) return message.parked.leave();
    set_apart(message);
    forget(message);
}

Message* Line::take_message() {
    Message* const message = first();
    if (message) take(*message);
    return message;
}

void Line::take(Message& message) {
    message.account->charge(message.left);
    set_apart(message);
    forget(message);
}

void Line::take_slice(Message& message, double work) {
    message.account->charge(work);
    standing(message).stand_anew(message);
    work = std::min(work, message.left);
    count(message, -work);
    message.left -= work;
}

void Line::estimate_anew(Message& message, double work) {
    count(message, work - message.left);
    message.work += work - message.left;
    message.left = work;
}

Message* Line::first(Allowed allowed) {
    const std::array<bool, kinds> are_allowed{true, allowed.begin, allowed.costly, allowed.begin && allowed.costly};
    Message* found = nullptr;
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        Message* const message = are_allowed[kind] ? turns_[kind].first() : nullptr;
        if (message && (!found || turn_of(*message) < turn_of(*found))) found = message;
    }
    return found;
}

Message* Line::last() const {
    Message* found = nullptr;
    for (const Turns& turns : turns_) {
        Message* const message = turns.last();
        if (message && (!found || turn_of(*message) > turn_of(*found))) found = message;
    }
    return found;
}

double Line::waiting(const Account& account) const {
    const auto found = waiting_.find(&account);
    return found == waiting_.end() ? 0 : found->second.work;
}

std::size_t Line::messages(const Account& account) const {
    const auto found = waiting_.find(&account);
    return found == waiting_.end() ? 0 : found->second.messages;
}

void Line::count(const Message& message, double work) {
    work_ += work;
    waiting_[message.account].work += work;
    waiting_[&message.account->network()].work += work;
}

void Line::forget(Message& message) {
    count(message, -message.left);
    message.left = 0;
    message.account->end_waiting();
    for (const Account* account :
         {static_cast<const Account*>(message.account), static_cast<const Account*>(&message.account->network())})
        if (--waiting_[account].messages == 0) waiting_.erase(account);
    if (waiting_.empty()) work_ = 0;  // no rounding stays
}

double Line::wait_s_of_last() const {
    const Message* const message = last();
    return message ? time_of(work_ - message->left) : 0;
}

double Line::served_s(const Account& caller, double work) const {
    return time_of(overtaken * before(caller, work) + work);
}

/// Returns how much work comes before the end of this caller's next message of `work` seconds: of other callers in its
/// network, and of other networks, each up to the point where they have used as much.
double Line::before(const Account& caller, double work) const {
    const Account& network = caller.network();
    const double due_in_network = caller.start_tag() + waiting(caller) + work, due = network.start_tag() + work;
    double of_network = 0, of_others = 0;
    for (const auto& [account, left] : waiting_)
        if (account != &account->network() && &account->network() == &network)
            of_network += std::clamp(due_in_network - account->start_tag(), 0.0, left.work);
    for (const auto& [account, left] : waiting_)
        if (account == &account->network() && account != &network)
            of_others += std::clamp(due + of_network - account->start_tag(), 0.0, left.work);
    return of_network + of_others;
}

void Line::moved(double work, double now) {
    if (was_waiting_ && work == 0) return;  // nobody wanted any: how long that lasts, the next one who does will tell
    if (was_waiting_) {
        // However long one pause was, what was seen before it counts for half, and it shows no more than that the line has become some
        // times slower: one that stood still once isn't slow, and one that is shows it again.
        const double passed = now - moved_at_, kept = std::max(std::exp(-passed / memory_s), min_kept);
        rate_s_ = rate_s_ * kept + std::min(passed, std::max(max_slower * time_of(work), max_pause_s));
        rate_work_ = rate_work_ * kept + work;
    }
    moved_at_ = now;
    was_waiting_ = size() > 0;
}

}  // namespace transport
