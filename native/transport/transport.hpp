// A gRPC server for whoever answers many calls at once: take a batch, compute, answer the batch.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "descriptor.hpp"
#include "job.hpp"
#include "lock.hpp"
#include "shared.hpp"
#include "sockets.hpp"
#include "taker.hpp"

namespace transport {

/// Message of a unary call that was taken, and whose key's quota is exceeded.
struct Denied {
    TakenMessage message;
    Denial denial;
};

/// gRPC and HTTP server without a dedicated reading thread: threads that come to take messages poll the sockets,
/// threads that answer write to them, and a thread of the transport's own polls while all others are busy. So no core
/// is taken from the threads that compute, and messages that arrive meanwhile form larger batches.
class Transport {
public:
    using Failures = std::vector<std::pair<std::uint64_t, Status>>;
    struct Answer {
        std::uint64_t id;
        std::string content;
        std::size_t cut = 0;  // of its sentences, how many were longer than the model reads
        double work = 0;      // seconds of a core that it took; 0 where that is what was charged already
        bool is_wanted = false;  // said once it was given: its caller had not left before
    };
    using Answers = std::vector<Answer>;

    /// Takes over `listeners`. Nothing is accepted before `start`.
    Transport(TransportSettings settings, std::vector<Listener> listeners);
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    void start();
    std::optional<Batch> take_messages(const TakeLimits& limits, double wait_s, double begins_at);
    void wake_one();

    /// Returns whether a caller has recently asked for something that a fast path answers quickly; a thread is then
    /// kept free.
    bool has_hasty_callers();
    void hand_over_polling();
    void answer(Answers& answers);
    void fail(const Failures& failures);
    void deny(const std::vector<Denied>& calls);  // refuses and counts them: Python knows nothing of them

    /// Puts a job in its line again after another part of it was parsed, in `took_s` seconds. If it `is_whole`, it
    /// holds `bytes`, and its response needs `response_bytes`.
    void put_back(Job& job, bool is_whole, std::size_t bytes, std::size_t response_bytes, double took_s);

    /// Queues a long message for Python, unless it has been answered or dropped meanwhile.
    void leave_to_python(Job& job);
    std::vector<Ended> ended();
    std::vector<Event> events(bool are_new);

    // Of HTTP's requests.

    /// Leaves the messages of HTTP calls in `batch` to the application.
    void pass_on(Batch& batch);

    /// Takes requests that have arrived, without waiting; none once the transport has stopped.
    std::optional<HttpRequests> take_requests(std::size_t max_requests);

    /// Returns an eventfd that is readable while there are requests, or news of those that were taken.
    int requests_descriptor() const { return requests_.get(); }

    /// Answers a request; returns false if its caller had left.
    bool respond(std::uint64_t id, Response response);
    void set_serving(bool serving, const std::optional<std::vector<std::string>>& services = {});
    void drain();
    double quiet_s();
    bool wait_idle(double timeout_s);
    void stop(double grace_s);
    void set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes, std::size_t sentences,
                   std::size_t max_sentences, std::size_t row_bytes);
    void set_traced(bool traced);
    void set_keys(std::optional<Keys> keys);
    void set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca);
    Figures figures();
    SlicedDepth sliced();
    const TransportSettings& settings() const { return shared_.settings; }

private:
    std::optional<Batch> take_batch(const TakeLimits& limits, double end, double begins_at);
    void inflate(Batch& batch);
    void poll(double timeout_s) REQUIRES(the_lock);
    void settle() REQUIRES(the_lock);
    void wake() REQUIRES(the_lock);
    void wake_idle() REQUIRES(the_lock);
    void wake_application() REQUIRES(the_lock);
    void look_after();
    void wake_own(double by) REQUIRES(the_lock);
    void tick(double time) REQUIRES(the_lock);
    bool is_idle() const REQUIRES(the_lock);
    std::thread end_all(double end);

    Mutex mutex_;
    std::condition_variable changed_;  // something may be taken, or somebody has to look at the sockets
    std::condition_variable looked_;  // for the thread of the transport's own
    Shared shared_;
    Sockets sockets_;
    Taker taker_;
    const Descriptor requests_;
    bool is_application_told_ GUARDED_BY(the_lock) = false;  // that there is something for it
    bool is_polling_ GUARDED_BY(the_lock) = false;
    bool has_stopped_ GUARDED_BY(the_lock) = false;
    std::size_t idle_ GUARDED_BY(the_lock) =
        0;  // threads that wait in take_messages while another looks at the sockets
    std::size_t sated_ GUARDED_BY(the_lock) = 0;  // of them, those that take unmetered messages alone
    std::size_t woken_ GUARDED_BY(the_lock) = 0;  // of those that wait, how many are to return with nothing
    std::uint64_t polls_ GUARDED_BY(the_lock) = 0;  // that have ended so far
    double polled_at_ GUARDED_BY(the_lock) = now(), ticked_at_ GUARDED_BY(the_lock) = 0,
                      max_lag_s_ GUARDED_BY(the_lock) = 0;
    double rests_until_ GUARDED_BY(the_lock) = 0;  // of the transport's own thread; 0 where it looks around soon
    std::thread own_ GUARDED_BY(the_lock);
};

}  // namespace transport
