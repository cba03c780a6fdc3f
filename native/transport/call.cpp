// A call from its first header to its end: what it is let in for, what it holds, and what becomes of a message that is served in slices.
#include "call.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "failure.hpp"
#include "job.hpp"
#include "peer.hpp"
#include "trace.hpp"

namespace transport {
namespace {

constexpr double min_patience_s = 2;  // of a call that is refused, and whose caller can wait a while before the next
constexpr std::size_t max_times_headers = 4;  // as large as they may be, before no status is told any more

}  // namespace

Call::Call(Peer& peer, StreamControl& streams, std::int32_t stream)
    : peer_(peer),
      streams_(streams),
      shared_(peer.shared),
      stream_(stream),
      caller_(peer.id),
      network_(&peer.network),
      account_(&peer.account),
      arrived_(now()),
      held_(unlimited, &peer.held),
      progressed_(arrived_) {
    shared_.open.use(1);
    ++account_->users;
}

Call::~Call() {
    --account_->users;
    shared_.open.give_back(1);
}

/// Assigns the call to this caller of this network.
void Call::find_account(std::uint64_t caller, Network& network) {
    Account& found = network.account_of(caller);
    caller_ = caller;
    network_ = &network;
    --account_->users;
    account_ = &found;
    ++account_->users;
}

/// An entry of HPACK's table that is named again and again would make HTTP/2 look at 4 KB for each byte. So when a call
/// has too many headers, HTTP/2 resets its stream, and only decompresses the remaining ones.
bool Call::bears(std::size_t bytes) {
    constexpr std::size_t overhead = 32;  // as HTTP/2 counts them
    header_bytes_ += bytes + overhead;
    peer_.overhead.unpacked(bytes + overhead);
    if (header_bytes_ <= max_times_headers * shared_.settings.limits.max_header_bytes) return true;
    refuse(Refusal::headers);
    return false;
}

/// Looks up the call's key. A call with two keys counts as having none.
void Call::authorize(std::string_view value) {
    const std::string* const digest = key_ == Key::none ? &peer_.key_digest.of(value) : nullptr;
    const auto found = digest ? shared_.keys->find(*digest) : shared_.keys->end();
    const bool is_known = found != shared_.keys->end();
    key_ = is_known ? Key::known : Key::unknown;
    find_account(is_known ? caller_of(*digest) : peer_.id, *network_);  // its turns, by whatever connections
    key_digest_ = is_known ? *digest : "";
    usage_ = is_known ? found->second : nullptr;
}

/// Notes who calls, if the call comes through a trusted proxy.
void Call::look_at_forwarded(std::string_view name, std::string_view value) {
    if (!peer_.peer_address.is_trusted) return;
    std::string& values = name == "forwarded" ? forwarded_ : x_forwarded_for_;
    values.append(values.empty() ? "" : ",").append(value);
}

void Call::look_at_trace(std::string_view traceparent) {
    is_unsampled_ = ++traceparents_ == 1 && is_unsampled(traceparent);
}

/// Returns whether a span of the call is recorded, which Python does.
bool Call::keeps_trace() const { return shared_.is_traced && !is_unsampled_; }

/// Admits a call whose headers have arrived; returns false if it is refused.
bool Call::let_in() {
    peer_.used_at = arrived_;
    if (!forwarded_.empty() || !x_forwarded_for_.empty()) {
        const std::string network = shared_.settings.proxies.network_through(forwarded_, x_forwarded_for_);
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
        const bool has_no_room =
            why == Refusal::full || why == Refusal::room || why == Refusal::crowded || why == Refusal::late;
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

/// Returns why a call whose headers have arrived is refused; Refusal::none if it isn't.
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
    return shared_.all->slots.is_full() ? Refusal::full : Refusal::none;
}

// Not all of its time: an estimate may be wrong, and comes before it is read.
double Call::patience_s() const { return shared_.settings.max_wait * (deadline_ - arrived_); }

bool Call::can_wait() const { return deadline_ - arrived_ > min_patience_s; }

void Call::take_slot() {
    holds_slot_ = true;
    peer_.slots.use(1);
    network_->slots.use(1);
    reading_.stand_for(shared_.reading, shared_.reading.insert(shared_.reading.end(), this));
}

/// Keeps the call in the list of those whose message has begun to arrive, ordered by their last progress.
void Call::note_progress(bool waits_for_more) {
    if (has_ended() || !waits_for_more) return receiving_.leave();
    auto& receiving = peer_.network.receiving;
    came_ = now();
    if (receiving_) receiving.splice(receiving.end(), receiving, receiving_.element());
    else receiving_.stand_for(receiving, receiving.insert(receiving.end(), this));
    shared_.due.by(came_ + shared_.settings.limits.caller_timeout_s);
}

void Call::reserve(Message& message, std::size_t bytes) {
    give_unread_back(std::exchange(message.reserved, bytes));
    use_unread(bytes);
}

void Call::shared_out(Message& message) {
    handed_over(message);
    is_counted_by_python_ = false;  // before it is answered: till then, whoever ends it counts it
    is_shared_out_ = takes_slot();
    message.state = Message::State::shared_out;
}

void Call::start_over(Message& message, Line& line) {
    std::string content = message.job->message.content;  // some thread may still be at it
    if (message.waits()) message.line->remove(message);
    message.line = nullptr;
    message.content = std::move(content);
    give_work_back(message);
    shared_.outstanding.remove(message.id);
    message.state = Message::State::waiting;
    is_shared_out_ = false;
    held_.use(message.cost());
    or_reset([&] { line.put(message); });
}

void Call::submitted(Message& message, Line& line, const std::shared_ptr<Job>& job, std::size_t bytes) {
    Line* const came_by = message.line;
    const OnFailure undo([&, is_long = message.is_long, is_costly = message.is_costly, work = message.work] {
        message.job.reset();
        message.is_long = is_long;
        message.is_costly = is_costly;
        message.work = work;
    });
    message.job = job;
    message.is_long = true;
    message.is_costly = job->max_work_at_once() > costly_s;
    message.work = job->work();
    line.put(message);
    message.work = 0;  // it is charged as it is taken, and what is spent on it besides comes in addition
    message.came_by = came_by;
    message.state = Message::State::shared_out;
    message.made = bytes;
    shared_.making.use(bytes);
}

void Call::take_back(Message& message) {
    if (message.waits()) message.line->remove(message);
    message.state = Message::State::taken;
    message.line = message.came_by;
    give_job_back(message);
}

/// Has whoever has taken a message learn that it is over, if anybody has.
void Call::abandon(const Message& message) {
    const bool is_submitted = message.job && message.job->is_submitted();
    if (message.job && !is_submitted) shared_.outstanding.remove(message.id);
    else if (is_submitted || !message.waits())
        shared_.outstanding.abandon(message.id,
                                    (is_submitted ? message.came_by : message.line) == &shared_.lines.application);
}

/// Releases the work that was counted for a message: it is answered, or nobody waits for it any more.
void Call::give_work_back(Message& message) {
    reserve(message, 0);
    give_job_back(message);
}

void Call::give_job_back(Message& message) {
    if (!message.job) return;
    message.job->is_over = true;
    message.job.reset();
    shared_.making.give_back(std::exchange(message.made, 0));
}

/// Adds to the response's body that is to be sent.
void Call::put(std::string bytes) {
    if (out_.empty()) {
        progressed_ = now();
        peer_.due.by(progressed_ + peer_.stall_s());
    }
    put_ += bytes.size();
    use_unread(bytes.size());
    out_.append(std::move(bytes));
}

/// Moves as much of the body as fits into `room`; returns the number of bytes.
std::size_t Call::take_out(std::span<std::uint8_t> room) {
    const std::size_t count = out_.take(room);
    sent(count);
    return count;
}

/// Notes that this many bytes of the body were sent.
void Call::sent(std::size_t count) {
    sent_ += count;
    give_unread_back(count);
    peer_.touch(*account_, count);
    if (count) peer_.used_at = now();
    if (count && (out_.empty() || sent_ - noted_ >= min_progress)) {
        noted_ = sent_;
        progressed_ = peer_.used_at;
    }
    peer_.owes = peer_.owes || is_owed_;
}

/// Returns whether the caller has read nothing of the answer for too long.
bool Call::is_unread(double time) { return !out_.empty() && peer_.due.has_come(progressed_ + peer_.stall_s(), time); }

void Call::use_unread(std::size_t bytes) {
    unread_ += bytes;
    peer_.unread.use(bytes);
    if (peer_.peer_address.is_trusted) network_->unread.use(bytes);
}

void Call::give_unread_back(std::size_t bytes) {
    unread_ -= bytes;
    peer_.unread.give_back(bytes);
    if (peer_.peer_address.is_trusted) network_->unread.give_back(bytes);
}

void Call::end(Refusal why, Refusal counted) {
    if (is_over_) return;
    note(counted == Refusal::none ? EventKind::call_expired
         : is_owed_               ? EventKind::call_ended
                                  : EventKind::call_refused,
         counted);
    disown();
    refusal_ = counted;
    if (counted != Refusal::none) peer_.overhead.wasted(held_.used());
    drop_all();
    or_reset([&]() REQUIRES(the_lock) { say_end(why); });
    peer_.list();
}

void Call::deny(const Denial& denial) {
    is_counted_by_python_ = false;
    peer_.refused += peer_.key_digest.is_one() && can_wait();  // no other key's calls rest with it
    if (is_over_) return;
    disown();
    refusal_ = refusal_of(denial);
    note(EventKind::call_refused, refusal_);
    drop_all();
    or_reset([&]() REQUIRES(the_lock) { say_denial(denial); });
    peer_.list();
}

void Call::expire() {
    due_.leave();
    end(Refusal::expired, Refusal::none);
}

void Call::reset(EventKind why) {
    note(why);
    streams_.reset(*this, EventKind::unread);
}

void Call::note(EventKind what, Refusal why) {
    shared_.events.note(what, network_->prefix, peer_.id, peer_.peer_address.listener, why);
}

/// Resets the call in whatever state it is, for lack of memory; it waits for nothing any more.
void Call::give_up() {
    reading_.leave();
    receiving_.leave();
    note(EventKind::call_no_memory);
    streams_.reset(*this, EventKind::no_memory);
    peer_.list();
}

void Call::close() {
    if (!is_over_) count(code_of_leaving(deadline_, arrived_, now()));
    drop_all();
    disown();
    give_slot_back();
    give_unread_back(unread_);
}

/// Notes in `Shared::ended`, for the metrics, that the call ended with gRPC's status `code`, and after how long; not if
/// Python took the whole call and counts it itself.
void Call::count(int code) {
    const auto method = is_counted_by_python_ ? std::nullopt : counted_method();
    if (method) shared_.ended.note({*method, code, refusal_, now() - arrived_});
}

void Call::give_slot_back() {
    reading_.leave();
    give_place_back();
    if (!std::exchange(holds_slot_, false)) return;
    peer_.slots.give_back(1);
    network_->slots.give_back(1);
}

/// Makes a stopping server no longer wait for the call.
void Call::disown() {
    if (std::exchange(is_owed_, false)) shared_.owed.give_back(1);
}

}  // namespace transport
