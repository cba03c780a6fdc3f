// Decides which calls are let in, and counts what they hold.
#include <utility>

#include "call.hpp"
#include "peer.hpp"

namespace transport {
/// Lets a call in whose headers have come; false where it is refused.
bool Call::let_in() {
    peer_.used_at = arrived_;
    if (!forwarded_.empty() || !x_forwarded_for_.empty()) {
        const std::string network = shared_.settings.proxies.network_behind(forwarded_, x_forwarded_for_);
        if (!network.empty()) find_account(caller_, shared_.network(network));
    }
    if (deadline_ < never) {
        due_.stand_for(shared_.deadlines, shared_.deadlines.emplace(deadline_, this));
        shared_.due.by(deadline_);
    }
    if (is_metered()) shared_.began = arrived_;
    Refusal why = refusal();
    if (why == Refusal::full && takes_slot() && shared_.make_way(*this, arrived_)) why = refusal();
    if (why == Refusal::none && peer_.held.is_exceeded()) why = Refusal::room;
    if (why == Refusal::none && !take_place()) why = Refusal::crowded;
    if (why != Refusal::none) {
        const bool has_no_room = why == Refusal::full || why == Refusal::room || why == Refusal::crowded || why == Refusal::late;
        peer_.refused += has_no_room && can_wait();
        if (has_no_room) peer_.overhead.asked(header_bytes_);
        refuse(why);
        return false;
    }
    if (!is_metered()) return true;
    is_owed_ = true;
    shared_.owed.use(1);
    if (takes_slot()) take_slot();
    return true;
}

/// Returns why a call whose headers have come may not go on, none where it may.
Refusal Call::refusal() const {
    if (header_bytes_ > shared_.settings.limits.max_header_bytes) return Refusal::headers;
    if (const Refusal why = unfit(); why != Refusal::none) return why;
    if (!is_metered()) return Refusal::none;
    if (shared_.keys && key_ != Key::known) return key_ == Key::none ? Refusal::no_key : Refusal::unknown_key;
    if (shared_.is_draining) return Refusal::draining;
    if (deadline_ <= arrived_) return Refusal::expired;
    if (peer_.unread.is_exceeded()) return Refusal::unread;
    if (!takes_slot()) return Refusal::none;
    const Line* const line = line_ahead();
    if (line && shared_.lines.is_late(*line, *account_, patience_s())) return Refusal::late;
    return shared_.slots.is_full() ? Refusal::full : Refusal::none;
}

void Call::take_slot() {
    holds_slot_ = true;
    peer_.slots.use(1);
    network_->slots.use(1);
    reading_.stand_for(shared_.reading, shared_.reading.insert(shared_.reading.end(), this));
}

void Call::give_slot_back() {
    reading_.leave();
    give_place_back();
    if (!std::exchange(holds_slot_, false)) return;
    peer_.slots.give_back(1);
    network_->slots.give_back(1);
}

/// A server that stops need not wait for the call any more.
void Call::disown() {
    if (std::exchange(is_owed_, false)) shared_.owed.give_back(1);
}

/// Keeps the call among those whose message has begun to come, in the order of when more of it came.
void Call::note_progress(bool waits_for_more) {
    if (has_ended() || !waits_for_more) return receiving_.leave();
    auto& receiving = peer_.network.receiving;
    came_ = now();
    if (receiving_)
        receiving.splice(receiving.end(), receiving, receiving_.element());
    else
        receiving_.stand_for(receiving, receiving.insert(receiving.end(), this));
    shared_.due.by(came_ + shared_.settings.limits.caller_timeout_s);
}

}  // namespace transport
