// What is taken at once of what waits in the lines: a batch of messages, or requests of the application.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "job.hpp"
#include "lock.hpp"
#include "shared.hpp"
#include "sockets.hpp"

namespace transport {

/// What one thread takes at once.
struct Batch {
    std::vector<TakenMessage> messages;
    std::vector<Slice> slices;      // of long requests
    std::shared_ptr<Job> unread;    // a long request, of which more is to be read
    double work = 0;                // seconds that all which is computed takes, as far as they can be estimated
    std::vector<std::uint64_t> gone;
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
    bool takes_long = true;  // of that line
    std::uint64_t path = 0;  // the fast path that takes long ones in slices; 0 for whoever takes them as all others
    SliceLimits slices{};
    double soon_s = 0;       // that those of the fast path take together, about, where others wait
    std::size_t runs = 1;    // that there may be at once
};

/// Chooses what a thread takes next, by whose turn it is.
class Taker {
public:
    Taker(Shared& shared, Sockets& sockets) : shared_(shared), sockets_(sockets) {}

    /// Notes that the calling thread is done with what it took before.
    void come_back() REQUIRES(the_lock);

    /// Returns whether there is something to take within these limits.
    bool has_some(const TakeLimits& limits) REQUIRES(the_lock);

    /// Returns the seconds after which something may be taken that is too costly now.
    double costly_wait_s() const REQUIRES(the_lock);

    /// Takes messages of unmetered calls, which even a full server answers, then the others; each kind in fair order.
    /// Throws std::bad_alloc if memory fails: then `batch` holds what was taken before, and the rest waits.
    void take(const TakeLimits& limits, Batch& batch) REQUIRES(the_lock);

    /// Takes requests for the application, in fair order; throws as `take` does.
    void take_requests(std::size_t max_requests, HttpRequests& taken) REQUIRES(the_lock);

    /// Returns whether a caller has recently asked for something that is answered quickly.
    bool has_hasty_callers() const REQUIRES(the_lock);

private:
    struct Together {
        double time;  // that it is
        std::size_t count = 0, bytes = 0;  // sentences, or calls, and their text
        double work = 0;
        bool has_modest = false;  // somebody who has all that they asked for in it
    };
    double take_from(Line& line, std::size_t max_messages, const TakeLimits& limits, Batch& batch) REQUIRES(the_lock);
    double take_small(const TakeLimits& limits, Batch& batch) REQUIRES(the_lock);
    bool set_aside(Message& message, const TakeLimits& limits, double time, Batch& batch) REQUIRES(the_lock);
    bool take_together(Message& message, const TakeLimits& limits, Together& together, Batch& batch) REQUIRES(the_lock);
    bool is_for_another(const Message& message, const TakeLimits& limits, std::size_t count, bool has_modest) const
        REQUIRES(the_lock);
    Allowed allowed(const TakeLimits& limits, double time) const REQUIRES(the_lock);
    bool reserve(Message& message) REQUIRES(the_lock);
    void hand_over(Message& message, Batch& batch) REQUIRES(the_lock);
    std::shared_ptr<Job> set_apart(Message& message, std::uint64_t path) REQUIRES(the_lock);
    double take_slice(Message& message, const SliceLimits& limits, Batch& batch) REQUIRES(the_lock);

    Shared& shared_;
    Sockets& sockets_;
    std::map<std::thread::id, double> costly_
        GUARDED_BY(the_lock);  // threads that are kept for long by what they took, and since when
    double cheap_at_ GUARDED_BY(the_lock) = 0;  // when others were last taken
    std::size_t since_modest_ GUARDED_BY(the_lock) = 0;  // batches since a small message whose caller had no other
};

}  // namespace transport
