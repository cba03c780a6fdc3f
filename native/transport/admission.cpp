// Decides which calls are let in, and counts what they hold.
#include <utility>

#include "call.hpp"
#include "peer.hpp"

namespace transport {

/// Returns why a call whose headers have come may not go on, none where it may.
Refusal Call::refusal() const {
    const Limits& limits = shared_.settings.limits;
    if (header_bytes_ > limits.max_header_bytes) return Refusal::headers;
    if (has_bad_timeout_) return Refusal::timeout;
    if (kind_ == Kind::unknown) return Refusal::unknown;
    if (!is_metered()) return Refusal::none;
    if (shared_.keys && key_ != Key::known) return key_ == Key::none ? Refusal::no_key : Refusal::unknown_key;
    if (shared_.is_draining) return Refusal::draining;
    if (deadline_ <= arrived_) return Refusal::expired;
    if (peer_.unread.is_exceeded()) return Refusal::unread;
    if (kind_ == Kind::stream) return Refusal::none;
    const Lines& lines = shared_.lines;
    if (lines.is_late(may_be_small() ? lines.small : lines.metered, caller_, patience_s())) return Refusal::late;
    return shared_.slots.is_full() ? Refusal::full : Refusal::none;
}

void Call::take_slot() {
    holds_slot_ = true;
    peer_.slots.use(1);
    reading_.stand_for(shared_.reading, shared_.reading.insert(shared_.reading.end(), this));
}

void Call::give_slot_back() {
    reading_.leave();
    end_watch();
    if (std::exchange(holds_slot_, false)) peer_.slots.give_back(1);
}

/// A server that stops need not wait for the call any more.
void Call::disown() {
    if (std::exchange(is_owed_, false)) shared_.owed.give_back(1);
}

/// Keeps the call among those whose message has begun to come, in the order of when more of it came.
void Call::note_progress() {
    if (has_ended() || unframed_.empty() || !has_room()) return receiving_.leave();
    auto& receiving = peer_.network.receiving;
    came_ = now();
    if (receiving_)
        receiving.splice(receiving.end(), receiving, receiving_.element());
    else
        receiving_.stand_for(receiving, receiving.insert(receiving.end(), this));
    shared_.due.by(came_ + shared_.settings.limits.caller_timeout_s);
}

}  // namespace transport
