// What is taken at once of what waits in the lines: a batch of messages, or requests of the application.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "job.hpp"
#include "clock.hpp"
#include "lock.hpp"
#include "shared.hpp"

namespace transport {

constexpr double cheap_s = 0.02;  // for which others count, once they were taken, where something is costly

enum class Outcome { done, failed, replaced, late };  // replaced: another model computes now; late: the deadline passed

/// Submission that is over, for whoever has submitted it.
struct Returned {
    std::shared_ptr<Job> job;
    Outcome outcome;
};

/// What one thread takes at once.
struct Batch {
    std::vector<TakenMessage> messages;
    std::vector<Slice> slices;  // of long requests
    std::shared_ptr<Job> unread;  // a long request, of which more is to be read
    double work = 0;  // seconds that all which is computed takes, as far as they can be estimated
    std::vector<std::uint64_t> gone;
    std::vector<Returned> returned;
    bool is_woken = false;
};

/// Request for the application, or for a method that no fast path has answered.
struct HttpRequest {
    std::uint64_t id;
    std::size_t listener;  // its place
    std::optional<std::size_t> method;
    std::string verb, target, version;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;
    bool is_whole;  // else its body was announced too large, or did not come in time
    std::string address;
    std::uint16_t port;
    bool is_encrypted;
    std::string key_digest;  // SHA-256 of a known key; empty where none came
    std::uint64_t caller, network;
    double arrived, deadline;
};

/// Requests that the application takes at once, and the ids of those whose callers have left.
struct HttpRequests {
    std::vector<HttpRequest> requests;
    std::vector<std::uint64_t> gone;
};

/// Limits on what is taken at once. A message of more bytes is taken alone.
struct TakeLimits {
    std::size_t messages, bytes;
    std::size_t small = 0, small_bytes = 0;  // of those in the line of the fast path, where there is one
    std::uint64_t path = 0;  // the fast path that takes long ones in slices; 0 for whoever takes them as all others
    SliceLimits slices{};
    double soon_s = 0;  // that those of the fast path take together, about, where others wait
    std::size_t runs = 1;  // that there may be at once
};

/// A batch while it is taken, from one shard after the other.
struct Taking {
    const TakeLimits& limits;
    Batch& batch;
    const double time = now();  // that it is
    Turn next{};  // the first of those in other shards
    bool yields = false;  // takes nothing where that has its turn before: who told of an earlier one may have had more

    std::size_t unmetered = 0;  // messages that were taken before all others
    std::size_t metered = 0, metered_bytes = 0;  // messages for Python
    std::size_t small = 0, small_bytes = 0;  // sentences, or calls, that are computed together, and their text
    double work = 0;  // seconds of a core that those take
    bool has_modest = false;  // somebody who has all that they asked for in it
    bool has_few = false;  // a network that asks for little, of which nothing else waits
    bool is_full = false;  // it ends with what was taken so far
    bool goes_on = false;  // the shard whose turn is next comes before the rest of this one

    /// Returns how many messages, and sentences of long ones, were taken.
    std::size_t count() const { return unmetered + metered + small; }

    /// Returns whether something was taken.
    bool has_some() const { return count() > 0 || batch.unread || !batch.gone.empty() || !batch.returned.empty(); }
};

/// Chooses what a thread takes next of what waits in a shard, by whose turn it is.
class Taker {
public:
    explicit Taker(Shared& shared) : shared_(shared) {}

    /// Takes messages of unmetered calls, which even a full server answers, then the others; each kind in fair order.
    /// Throws std::bad_alloc if memory fails: then the batch holds what was taken before, and the rest waits.
    void take(Taking& taking) REQUIRES(the_lock);

    /// Lets sentences of a message that was taken wait for whoever computes; throws as `take` does, and then nothing has
    /// changed.
    void submit(Message& message, std::uint64_t path, Submission submission, std::size_t dimension, const Pace& pace)
        REQUIRES(the_lock);

    /// Takes requests for the application, in fair order; throws as `take` does.
    void take_requests(std::size_t max_requests, HttpRequests& taken) REQUIRES(the_lock);

private:
    double take_from(Line& line, std::size_t max_messages, Taking& taking, std::size_t& count, std::size_t& bytes)
        REQUIRES(the_lock);
    double take_small(Taking& taking) REQUIRES(the_lock);
    bool is_overtaken(const Message& message, Taking& taking) const REQUIRES(the_lock);
    bool is_behind_plain(const Message& message, const Taking& taking) REQUIRES(the_lock);
    bool is_behind_python(const Message& message, const Taking& taking) REQUIRES(the_lock);
    bool set_aside(Message& message, Taking& taking) REQUIRES(the_lock);
    bool take_together(Message& message, Taking& taking) REQUIRES(the_lock);
    bool is_for_another(const Message& message, const Taking& taking) const REQUIRES(the_lock);
    Allowed allowed(const Taking& taking) const REQUIRES(the_lock);
    std::size_t max_costly(const Taking& taking) const REQUIRES(the_lock);
    bool begin_costly(const Taking& taking) REQUIRES(the_lock);
    bool reserve(Message& message) REQUIRES(the_lock);
    void hand_over(Message& message, Batch& batch) REQUIRES(the_lock);
    std::shared_ptr<Job> set_apart(Message& message, std::uint64_t path) REQUIRES(the_lock);
    double take_slice(Message& message, const SliceLimits& limits, Batch& batch) REQUIRES(the_lock);

    Shared& shared_;
};

}  // namespace transport
