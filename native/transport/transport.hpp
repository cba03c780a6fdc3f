// A gRPC server for whoever answers many calls at once: take a batch, compute, answer the batch.
#pragma once

#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "job.hpp"
#include "lock.hpp"
#include "shared.hpp"

namespace transport {

/// A taken message of a unary call for which its key has no share.
struct Denied {
    Taken message;
    Denial denial;
};

struct Batch {
    std::vector<Taken> messages;
    std::vector<Slice> slices;      // of long requests
    std::shared_ptr<Job> unread;    // a long request, of which more is to be read
    double work = 0;                // seconds that all which is computed takes, as far as they can be estimated
    std::vector<std::uint64_t> gone;
    bool is_woken = false;
};

/// A request of the application, or of a method that no fast path has answered.
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

struct HttpRequests {
    std::vector<HttpRequest> requests;
    std::vector<std::uint64_t> gone;
};

/// A bound socket that listens.
struct Listener {
    int socket;
    bool is_http = false;      // else gRPC's
    bool is_encrypted = true;  // once there are certificates
    bool is_for_probes = false;
};

/// How much is taken at once. Of more bytes there is one message alone.
struct Most {
    std::size_t messages, bytes;
    std::size_t small = 0, small_bytes = 0;  // of those in the line of the fast path, where there is one
    bool takes_long = true;  // of that line
    std::uint64_t path = 0;  // the fast path that takes long ones in slices; 0 for whoever takes them as all others
    SliceLimits slices{};
    double soon_s = 0;       // that those of the fast path take together, about, where others wait
    std::size_t runs = 1;    // that there may be at once
};

/// There is no thread that reads: who comes to take looks at the sockets, who answers writes to them, and a thread of the transport's
/// own looks while all others are busy. So no core is taken from those that compute, and what comes meanwhile gathers.
class Transport {
public:
    using Failures = std::vector<std::pair<std::uint64_t, Status>>;
    struct Answer {
        std::uint64_t id;
        std::string content;
        std::size_t cut = 0;  // of its sentences, how many were longer than the model reads
        double work = 0;      // seconds of a core that it took; 0 where that is what was charged already
    };
    using Answers = std::vector<Answer>;

    /// Takes over `listeners`. Nothing is accepted before `start`.
    Transport(Settings settings, std::vector<Listener> listeners);
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    void start();
    std::optional<Batch> take_messages(const Most& most, double wait_s, double begins_at);
    void wake_one();

    /// Returns whether somebody has lately asked for what is answered soon, by a fast path: then a thread is left to them.
    bool has_hasty_callers();
    void hand_over_polling();
    std::vector<bool> answer(Answers answers);  // whether each is still wanted
    void fail(const Failures& failures);
    void deny(const std::vector<Denied>& calls);  // refuses and counts them: Python knows nothing of them

    /// Has a job stand in its line again, of which more was read in so many seconds: once it is whole, it takes `bytes`, and its response
    /// as many as `response_bytes`.
    void put_back(Job& job, bool is_whole, std::size_t bytes, std::size_t response_bytes, double took_s);

    /// Leaves a long message to Python, in the line for that, unless somebody else has said what becomes of it.
    void leave_to_python(Job& job);
    std::vector<Ended> ended();

    // Of HTTP's requests; requests.cpp.

    /// Leaves the messages of HTTP's calls in `batch` to the application.
    void pass_on(Batch& batch);

    /// Takes requests that have come, without waiting; none once the transport has stopped.
    std::optional<HttpRequests> take_requests(std::size_t most);

    /// Returns an eventfd that can be read while there are some, or news of those that were taken.
    int requests_descriptor() const { return requests_; }

    /// Answers a request; false where its caller had left.
    bool respond(std::uint64_t id, Response response);
    void set_serving(bool serving, const std::optional<std::vector<std::string>>& services = {});
    void drain();
    double quiet_s();
    bool wait_idle(double timeout_s);
    void stop(double grace_s);
    void set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes, std::size_t sentences,
                   std::size_t most_sentences, std::size_t row_bytes);
    void set_traced(bool traced);
    void set_keys(std::optional<Keys> keys);
    void set_certificates(const std::string& certificate, const std::string& key, const std::string& client_ca);
    Figures figures();
    SlicedDepth sliced();
    const Settings& settings() const { return shared_.settings; }

private:
    void look_after();
    std::thread end_all(double end);
    void wake_own(double by) REQUIRES(the_lock);
    void poll(double timeout_s) REQUIRES(the_lock);
    void tick(double time) REQUIRES(the_lock);
    void accept_all(std::size_t place) REQUIRES(the_lock);
    Endpoint endpoint_of(std::size_t place, const sockaddr_storage& address) const REQUIRES(the_lock);
    bool have_extra() REQUIRES(the_lock);
    bool make_way(const Network& newcomer, bool is_http) REQUIRES(the_lock);
    void watch_listeners(bool watched) REQUIRES(the_lock);
    void have_spare() REQUIRES(the_lock);
    void watch_for(Connection& connection) REQUIRES(the_lock);
    void have_rest_for(Connection& connection, double seconds) REQUIRES(the_lock);
    void have_rest(Connection& connection, double until) REQUIRES(the_lock);
    void have_newcomer_rest(Connection& connection) REQUIRES(the_lock);
    void read(const std::vector<std::uint64_t>& ready) REQUIRES(the_lock);
    void end_rests(double time) REQUIRES(the_lock);
    void send_listed() REQUIRES(the_lock);
    bool has_hung_up(std::uint64_t id) const REQUIRES(the_lock);
    void hang_up(std::uint64_t id) REQUIRES(the_lock);
    void close(std::uint64_t id) REQUIRES(the_lock);
    void wake() REQUIRES(the_lock);
    void wake_idle() REQUIRES(the_lock);
    void wake_poller() REQUIRES(the_lock);
    void wake_application() REQUIRES(the_lock);
    void settle() REQUIRES(the_lock);
    void shed_unread() REQUIRES(the_lock);
    void close_listeners() REQUIRES(the_lock);
    bool is_idle() const REQUIRES(the_lock);
    bool has_some(const Most& most) REQUIRES(the_lock);
    std::optional<Batch> take_batch(const Most& most, double end, double begins_at);
    Batch batch(const Most& most) REQUIRES(the_lock);
    double take_from(Line& line, std::size_t most_messages, const Most& most, Batch& batch) REQUIRES(the_lock);
    struct Together {
        double time;                       // that it is
        std::size_t count = 0, bytes = 0;  // sentences, or calls, and their text
        double work = 0;
        bool has_modest = false;  // somebody who has all that they asked for in it
    };
    double take_small(const Most& most, Batch& batch) REQUIRES(the_lock);
    bool set_aside(Message& message, const Most& most, double time, Batch& batch) REQUIRES(the_lock);
    bool take_together(Message& message, const Most& most, Together& together, Batch& batch) REQUIRES(the_lock);
    std::shared_ptr<Job> set_apart(Message& message, std::uint64_t path) REQUIRES(the_lock);
    double take_slice(Message& message, const SliceLimits& limits, Batch& batch) REQUIRES(the_lock);
    bool reserve(Message& message) REQUIRES(the_lock);
    const Network& greediest_in_unread() REQUIRES(the_lock);
    bool shed_unread_for(const Network& modest, std::size_t bytes) REQUIRES(the_lock);
    bool shed_unread_of(const Network& greediest) REQUIRES(the_lock);
    Allowed allowed(const Most& most, double time) const REQUIRES(the_lock);
    void hand_over(Message& message, Batch& batch) REQUIRES(the_lock);
    bool is_for_another(const Message& message, const Most& most, std::size_t count, bool has_modest) const REQUIRES(the_lock);
    void inflate(Batch& batch);

    Mutex mutex_;
    std::condition_variable changed_;   // something may be taken, or somebody has to look at the sockets
    std::condition_variable looked_;    // for the thread of the transport's own
    Shared shared_;
    int epoll_ = -1, wake_ = -1, requests_ = -1;
    bool is_application_told_ GUARDED_BY(the_lock) = false;  // that there is something for it
    int spare_ GUARDED_BY(the_lock) = -1;
    std::vector<Listener> listeners_ GUARDED_BY(the_lock);
    std::array<std::shared_ptr<Tls>, 2> tls_ GUARDED_BY(the_lock);  // of gRPC's listeners, and of HTTP's
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_ GUARDED_BY(the_lock);
    std::uint64_t last_connection_ GUARDED_BY(the_lock) = 0;
    bool is_polling_ GUARDED_BY(the_lock) = false, is_listening_ GUARDED_BY(the_lock) = false;
    bool is_ending_ GUARDED_BY(the_lock) = false, has_stopped_ GUARDED_BY(the_lock) = false;
    std::size_t idle_ GUARDED_BY(the_lock) = 0;    // threads that wait in take_messages while another looks at the sockets
    std::size_t sated_ GUARDED_BY(the_lock) = 0;   // of them, those that take unmetered messages alone
    std::size_t woken_ GUARDED_BY(the_lock) = 0;  // of those that wait, how many are to return with nothing
    std::map<std::thread::id, double> costly_ GUARDED_BY(the_lock);  // threads that are kept for long by what they took, and since when
    double cheap_at_ GUARDED_BY(the_lock) = 0;     // when others were last taken
    std::size_t since_modest_ GUARDED_BY(the_lock) = 0;  // batches since a small message whose caller had no other
    std::vector<std::uint64_t> resting_ GUARDED_BY(the_lock);
    double rested_at_ GUARDED_BY(the_lock) = never;  // when the first of them has rested
    std::uint64_t rests_ GUARDED_BY(the_lock) = 0, polls_ GUARDED_BY(the_lock) = 0;  // of connections, so far; that have ended
    double polled_at_ GUARDED_BY(the_lock) = now(), ticked_at_ GUARDED_BY(the_lock) = 0, most_lag_s_ GUARDED_BY(the_lock) = 0;
    double rests_until_ GUARDED_BY(the_lock) = 0;  // of the transport's own thread; 0 where it looks around soon
    std::thread own_ GUARDED_BY(the_lock);
};

}  // namespace transport
