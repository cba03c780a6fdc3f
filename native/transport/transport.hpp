// A gRPC server for whoever answers many calls at once: take a batch, compute, answer the batch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "acceptor.hpp"
#include "descriptor.hpp"
#include "job.hpp"
#include "lock.hpp"
#include "shard.hpp"
#include "sleepers.hpp"
#include "taker.hpp"

namespace transport {

/// Message of a unary call that was taken, and whose key's quota is exceeded.
struct Denied {
    TakenMessage message;
    Denial denial;
};

/// Thrown where more would wait to be computed than there is memory for.
struct NoRoom : std::exception {
    const char* what() const noexcept override { return "too much waits to be computed"; }
};

/// gRPC and HTTP server without a dedicated reading thread: threads that come to take messages poll the sockets,
/// threads that answer write to them, and a thread of the transport's own polls while all others are busy. So no core
/// is taken from the threads that compute, and messages that arrive meanwhile form larger batches.
///
/// Connections are shared out among shards, each with a lock of its own. A thread reads and takes from its own shard
/// first, and takes from others where a turn is clearly earlier, or while its batch has room. Every method may be
/// called by any thread.
class Transport {
public:
    using Failures = std::vector<std::pair<std::uint64_t, Status>>;
    struct Answer {
        std::uint64_t id;
        std::string content;
        std::size_t cut = 0;  // of its sentences, how many were longer than the model reads
        double work = 0;      // seconds of a core that it took; 0 where that is what was charged already
        double spent = 0;  // seconds of a core that Python has used for it, since it was charged
        bool is_wanted = false;  // said once it was given: its caller had not left before
    };
    using Answers = std::vector<Answer>;

    /// Takes over `listeners`. Nothing is accepted before `start`.
    Transport(TransportSettings settings, std::vector<Listener> listeners);
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    void start();
    std::optional<Batch> take_messages(const TakeLimits& limits, double wait_s);
    void wake_one();

    /// Returns whether something has waited for a while of which no thread takes anything.
    bool stands_still() const { return totals_->stands_still(now()); }

    /// Answers messages, shard by shard. `counted` is called for those of each shard, by their indices, once it is
    /// known who wants them and before anybody can have read them. That shard's lock is held meanwhile.
    using Counted = std::function<void(const std::vector<std::size_t>& indices)>;
    void answer(Answers& answers, const Counted& counted = [](const auto&) {});
    void fail(const Failures& failures);

    /// Charges the caller of a message, or request, that was taken and isn't answered yet with `seconds` of a core that
    /// it has taken. The first time that is instead of what was estimated.
    void charge(std::uint64_t id, double seconds);
    void deny(const std::vector<Denied>& calls);  // refuses and counts them: Python knows nothing of them

    /// Puts a job in its line again after another part of it was parsed, in `took_s` seconds. If it `is_whole`, it
    /// holds `bytes`, and its response needs `response_bytes`.
    void put_back(Job& job, bool is_whole, std::size_t bytes, std::size_t response_bytes, double took_s);

    /// Lets the sentences of a message wait in turn to be computed by the fast path of this number; returns false if its
    /// caller has left, or such sentences wait of it already. Charges the caller with what was `spent` so far. Throws
    /// NoRoom if too much waits.
    bool submit(std::uint64_t id, std::uint64_t path, Submission submission, std::size_t dimension, const Pace& pace,
                double spent);

    /// Ends a submission; returns false if its caller has left.
    bool end_submission(const Job& job);

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

    /// Answers a request, for which Python has `spent` seconds of a core since they were last charged; returns false if
    /// its caller had left.
    bool respond(std::uint64_t id, Response response, double spent = 0);
    void set_serving(bool serving, const std::optional<std::vector<std::string>>& services = {});
    void drain();
    double quiet_s();
    bool wait_idle(double timeout_s);
    void stop(double grace_s);
    void set_small(std::size_t method, const std::shared_ptr<const Codec>& codec, std::size_t bytes,
                   std::size_t sentences, std::size_t max_sentences, std::size_t row_bytes);
    void set_traced(bool traced);
    void set_keys(std::optional<Keys> keys);
    void set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca);
    Figures figures();
    SlicedDepth sliced();
    const TransportSettings& settings() const { return totals_->settings; }

private:
    static void pay(Message& message, double seconds) REQUIRES(the_lock);
    Shard& home();
    Shard& shard_of(std::uint64_t id) const { return *shards_[Shared::shard_of(id) % shards_.size()]; }
    std::optional<Batch> take_batch(const TakeLimits& limits, double end);
    void take(Taking& taking, Shard& home, bool waits);
    void take_certainly(Taking& taking);
    void take_from(Shard& shard, Taking& taking) REQUIRES(the_lock);
    Shard* next(const Shard& home, std::uint64_t left_out) const;
    void inflate(Batch& batch);
    static void answer(Shared& in, Answer& given) REQUIRES(the_lock);
    void look_around(Shard& home, const TakeLimits& limits);
    void poll(Shard& home, double timeout_s, std::size_t enough);
    void handle(std::uint64_t what);
    void settle(Shard& shard) REQUIRES(the_lock);
    void tell(const Shard& shard);
    void wake();
    void wake_application();
    bool visit(const Shared& from, const Shared::Act& act);
    template <typename Items, typename IdOf, typename Act, typename BeforeSent>
    void by_shard(Items& items, const IdOf& id_of, const Act& act, const BeforeSent& before_sent);
    template <typename Items, typename IdOf, typename Act>
    void by_shard(Items& items, const IdOf& id_of, const Act& act);
    void look_after();
    bool stand_in(double time);
    void publish_all();
    double due() const;
    double rested_at() const;
    void wake_own(double by);
    std::size_t waiting() const;
    bool has_costly() const;
    bool has_requests(const Shard& shard) const;
    bool has_requests() const;
    void tick(double time);
    bool is_idle();
    std::thread end_all(double end);

    const std::shared_ptr<Totals> totals_;
    const Descriptor epoll_, wake_, requests_;
    std::vector<std::unique_ptr<Shard>> shards_;
    Acceptor acceptor_;
    Sleepers sleepers_;
    std::atomic<bool> is_application_told_{false};  // that there is something for it, since it last came
    std::atomic<bool> is_polling_{false};  // a thread looks at all sockets, or sleeps there
    std::atomic<bool> has_stopped_{false};
    std::atomic<std::uint64_t> polls_{0};  // that have ended so far
    std::atomic<std::size_t> polled_{0}, next_for_application_{0};  // shards that are read, or asked, next
    std::atomic<double> polled_at_{now()}, max_lag_s_{0};

    std::mutex own_mutex_;  // of the transport's own thread, which sleeps by `looked_`
    std::condition_variable looked_;
    std::atomic<double> rests_until_{0};  // that thread, if nobody wakes it; 0 where it looks around soon
    std::thread own_;
};

}  // namespace transport
