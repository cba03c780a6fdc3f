// The last that was decided about connections and calls, for an operator who is attacked or whose callers complain.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "clock.hpp"
#include "contract.hpp"

namespace transport {

/// What was decided, once or several times in a row, about callers of one network. Nothing of it is a sentence, a key or a header.
struct Event {
    std::uint64_t connection = 0;  // number of the last one; 0 where it was about none
    std::uint64_t count = 0;
    std::uint64_t change = 0;  // number of all that was decided so far, as this last was
    double first = 0, last = 0;  // times
    std::array<char, 8> prefix{};  // what addresses of the network begin with, of so many bytes
    std::uint8_t prefix_size = 0, listener = 0;
    EventKind kind{};
    Refusal refusal{};  // of a call; none where nobody refused one

    std::string_view network() const { return {prefix.data(), prefix_size}; }
    bool is_like(const Event& other) const { return what() == other.what(); }

    /// Returns all that is alike of events that are counted as one.
    std::tuple<const std::array<char, 8>&, const std::uint8_t&, const std::uint8_t&, const EventKind&, const Refusal&>
    what() const {
        return std::tie(prefix, prefix_size, listener, kind, refusal);
    }
};

/// A ring of them, which never grows. What is decided again within a minute is counted where it stands, if that is among the latest:
/// so a flood has one entry for each thing that it meets with, and pushes nothing else out.
class Events {
public:
    static constexpr std::size_t max_events = 1024, latest = 32;
    static constexpr double in_a_row_s = 60;

    void note(EventKind kind, std::string_view network, std::uint64_t connection, std::size_t listener,
              Refusal refusal = Refusal::none, double time = now()) {
        Event next{.connection = connection,
                   .count = 1,
                   .change = ++changes_,
                   .first = time,
                   .last = time,
                   .prefix = {},
                   .prefix_size = std::uint8_t(std::min(network.size(), sizeof Event::prefix)),
                   .listener = std::uint8_t(listener),
                   .kind = kind,
                   .refusal = refusal};
        network.copy(next.prefix.data(), next.prefix_size);
        for (std::size_t back = 1; back <= std::min(latest, noted_); ++back) {
            Event& before = at(noted_ - back);
            if (!before.is_like(next) || time - before.last > in_a_row_s) continue;
            next.count += before.count;
            next.first = before.first;
            before = next;
            return;
        }
        at(noted_++) = next;
    }

    /// Returns those that there are, or what is new since that was last asked for; the one that was last decided is the last.
    std::vector<Event> list(bool are_new) {
        const std::uint64_t known = are_new ? std::exchange(told_, changes_) : 0;
        std::vector<Event> found;
        for (std::size_t index = 0; known < changes_ && index < std::min(noted_, max_events); ++index)
            if (ring_[index].change > known) found.push_back(ring_[index]);
        std::sort(found.begin(), found.end(),
                  [](const Event& one, const Event& other) { return one.change < other.change; });
        return found;
    }

    /// Returns events of several rings as one list, in order of time. What is alike is counted once.
    static std::vector<Event> merged(const std::vector<std::vector<Event>>& rings) {
        std::vector<Event> all, found;
        for (const auto& ring : rings) all.insert(all.end(), ring.begin(), ring.end());
        // What is alike stands together, so that thousands of networks take no square of that in time.
        std::sort(all.begin(), all.end(), [](const Event& one, const Event& other) {
            return std::make_pair(one.what(), one.last) < std::make_pair(other.what(), other.last);
        });
        for (Event next : all) {
            if (!found.empty() && found.back().is_like(next) && next.first - found.back().last <= in_a_row_s) {
                next.count += found.back().count;
                next.first = std::min(found.back().first, next.first);
                found.pop_back();
            }
            found.push_back(next);
        }
        std::sort(found.begin(), found.end(), [](const Event& one, const Event& other) {
            return std::make_pair(one.last, one.what()) < std::make_pair(other.last, other.what());
        });
        return found;
    }

private:
    Event& at(std::size_t number) { return ring_[number % max_events]; }

    std::vector<Event> ring_ = std::vector<Event>(max_events);
    std::size_t noted_ = 0;  // entries so far
    std::uint64_t changes_ = 0, told_ = 0;
};

}  // namespace transport
