#include "shard.hpp"

#include <iterator>
#include <new>
#include <span>
#include <vector>

#include "claim.hpp"
#include "incoming.hpp"
#include "outgoing.hpp"

namespace transport {
namespace {

constexpr double stands_back_s = 0.001;  // for which a thread that is to read lets others first, who take or answer

}  // namespace

Shard::Shard(int epoll, const std::shared_ptr<Totals>& totals, std::size_t index)
    : shared(totals, index), sockets(epoll, mutex, shared), taker(shared), standing_(totals->standings[index]) {}

void Shard::read(std::span<const epoll_event> ready) {
    const Claim claim(is_read_);
    if (!claim) return;
    read_at_ = now();
    static thread_local std::vector<Incoming> incoming;
    incoming.clear();
    // Where memory fails, there may be some the next time: what wasn't read is in the sockets still.
    try {
        const ReadersLock lock(mutex, stands_back_s);
        sockets.begin_reading(ready, incoming);
    } catch (const std::bad_alloc&) {
    }
    for (Incoming& each : incoming) each.read();
    {
        const ReadersLock lock(mutex);
        try {
            sockets.read(incoming);
        } catch (const std::bad_alloc&) {
        }
        settle();
    }
    incoming.clear();  // it holds the sockets, of which some may be closed by now
}

void Shard::settle() noexcept {
    static thread_local std::vector<Outgoing> outgoing;
    do {
        outgoing.clear();
        try {
            sockets.make_ready(outgoing);
            shared.shed_unread();
        } catch (const std::bad_alloc&) {
            sockets.send_listed();  // for which no memory is taken
        }
        shared.publish();
        if (outgoing.empty()) return;
        {
            const Unlocked unlocked(mutex);
            for (Outgoing& each : outgoing) each.write();
        }
        sockets.wrote(outgoing);
    } while (!shared.to_send.empty());
    outgoing.clear();
    shared.publish();
}

void Shard::tick(double time) {
    shared.due.clear();
    shared.end_expired(time);
    shared.end_stalled(time);
    sockets.tick(time);
    shared.unpark_all();
    shared.turns.rest();
    const auto is_over = [&](Network& network) REQUIRES(the_lock) {
        if (!network.forget_callers() || network.connections > 0 || network.account.start_tag() > shared.turns.time())
            return false;
        const double rests_until = network.all->rests_until;
        if (rests_until > time) shared.due.by(rests_until);
        else shared.parking.erase(&network);
        return rests_until <= time;
    };
    // Not by std::erase_if, which is to change no entry; of GCC 12.2 it shows constant ones.
    for (auto each = shared.networks.begin(); each != shared.networks.end();)
        each = is_over(each->second) ? shared.networks.erase(each) : std::next(each);
    settle();
}

}  // namespace transport
