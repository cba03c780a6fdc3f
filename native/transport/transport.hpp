// A gRPC server for whoever answers many calls at once: take a batch, compute, answer the batch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "state.hpp"

namespace transport {

/// A message as it is handed over.
struct Taken {
    std::uint64_t id;
    std::size_t method;
    std::string content;
    double deadline;
    std::vector<std::pair<std::size_t, std::string>> metadata;
    std::uint64_t caller;
    double arrived;
    std::size_t inflated_size;  // where the content is compressed
    bool is_compressed, is_lost;  // lost: it wasn't gzip
    bool is_plain;                // no header came with it that Python has to look at
};

struct Batch {
    std::vector<Taken> messages;
    std::vector<std::uint64_t> gone;
    bool is_woken = false;
};

/// How much is taken at once. Of more bytes there is one message alone.
struct Most {
    std::size_t messages, bytes;
    std::size_t small = 0, small_bytes = 0;  // of those in the line of small ones, where there is one
};

/// There is no thread that reads: who comes to take looks at the sockets, who answers writes to them, and a thread of the transport's
/// own looks while all others are busy. So no core is taken from those that compute, and what comes meanwhile gathers.
class Transport {
public:
    using Failures = std::vector<std::pair<std::uint64_t, Status>>;
    using Answers = std::vector<std::pair<std::uint64_t, std::string_view>>;

    /// Takes over `listeners`: bound sockets. Nothing is accepted before `start`.
    Transport(State state, std::vector<int> listeners);
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    void start();
    std::optional<Batch> take_messages(const Most& most, double wait_s, double queue_s);
    void wake_one();
    void hand_over_polling();
    std::vector<bool> answer(const Answers& answers);  // whether each is still wanted
    void fail(const Failures& failures);
    std::vector<Ended> ended();
    void set_serving(bool serving);
    void drain();
    double quiet_s();
    bool wait_idle(double timeout_s);
    void stop(double grace_s);
    void set_small(std::size_t method, std::size_t bytes, std::size_t sentences);
    void set_keys(std::optional<std::set<std::string>> digests);
    void set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca);
    std::map<std::string, double> figures();
    const State& state() const { return state_; }  // methods and headers never change

private:
    void look_after();
    void wake_own(double by);
    void poll(std::unique_lock<std::mutex>& lock, double timeout_s);
    void tick(double time);
    void accept_all(std::size_t place);
    bool make_way(const Network& newcomer);
    void watch_listeners(bool watched);
    void have_spare();
    void watch_for(Connection& connection);
    void have_rest(Connection& connection, double seconds);
    void read(const std::vector<std::uint64_t>& ready);
    void stand_back(std::unique_lock<std::mutex>& lock);
    std::unique_lock<std::mutex> enter();
    void end_rests(double time);
    void send_listed();
    bool is_half_closed(std::uint64_t id) const;
    void close(std::uint64_t id);
    void wake();
    void wake_idle();
    void wake_poller();
    void settle();
    void shed_unread();
    void set_serving_locked(bool serving);
    void close_listeners();
    bool is_idle() const;
    bool has_some(const Most& most) const;
    Batch batch(const Most& most);
    std::size_t take_from(Line& line, std::size_t most, std::size_t most_bytes, Batch& batch);
    void inflate(Batch& batch);

    std::mutex mutex_;
    std::atomic<int> entering_{0};      // threads that wait for the lock, and don't look at the sockets
    std::condition_variable entered_;   // none of them waits any more
    std::condition_variable changed_;   // something may be taken, or somebody has to look at the sockets
    std::condition_variable looked_;    // for the thread of the transport's own
    State state_;
    std::vector<int> listeners_;
    int epoll_ = -1, wake_ = -1, spare_ = -1;
    std::shared_ptr<Tls> tls_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::uint64_t last_connection_ = 0;
    bool is_polling_ = false, is_listening_ = false, is_ending_ = false, has_stopped_ = false;
    std::size_t idle_ = 0;              // threads that wait in take_messages while another looks at the sockets
    std::size_t sated_ = 0;             // of them, those that take nothing of the line
    std::size_t woken_ = 0;            // of those that wait, how many are to return with nothing
    std::vector<std::uint64_t> resting_;
    std::uint64_t rests_ = 0;           // of connections, so far
    double polled_at_ = now(), ticked_at_ = 0, most_lag_s_ = 0;
    std::uint64_t polls_ = 0;           // that have ended
    double rests_until_ = 0;            // of the transport's own thread; 0 where it looks around soon
    std::thread own_;
};

}  // namespace transport
