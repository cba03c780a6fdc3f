// Answers small requests without Python, which counts them afterwards.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../shared/borrowed.hpp"
#include "codec.hpp"
#include "model.hpp"
#include "runs.hpp"
#include "transport.hpp"

namespace transport {

/// Call that got no embeddings: it was refused, or ended before its answer.
struct Unanswered {
    std::size_t method;
    int code;
    double seconds;
};

/// Measurements of a run, and of requests that were answered after it, for Python to count.
struct RunCounts {
    std::size_t model = 0;   // its place
    std::size_t tokens = 0;  // of the run
    double tokenise_s = 0, engine_s = 0, serialise_s = 0;
    std::vector<double> waited_s;  // of each sentence of the run, from when its call was read to when the run began
    std::size_t truncated = 0;     // sentences of what was answered
    std::size_t in_pieces = 0;  // of them, that were longer than the model reads, and weren't cut
    std::vector<std::size_t> counts;  // tokens of each of them
    std::map<std::size_t, std::vector<double>>
        seconds;  // of each small unary call that was answered, since it came; by method
    std::map<std::size_t, std::size_t> messages;         // streams' that were answered, by method
    std::vector<Unanswered> unanswered;                         // small unary ones
};

/// Result of take_messages for a Python thread.
struct Report {
    std::optional<Batch> batch;  // messages for Python; nothing once the transport has stopped
    bool is_given_up = false;    // its run took too long, and its callers were answered by somebody else
};

/// Server of plain requests without Python: the threads that come to take messages read, tokenise, compute and answer
/// them. Small requests are served whole, long ones in slices by several threads. A run is for one model. Requests that
/// aren't plain, or fail, are left to Python, which has the errors for them.
class FastPath {
public:
    struct Settings {
        std::map<std::size_t, std::shared_ptr<const Codec>> codecs;  // by method
        std::size_t max_sentences, max_bytes;  // of a small request
        std::size_t max_together, max_bytes_together;  // calls: more are not computed faster, and others wait longer
        std::size_t max_runs;  // at once, about: a thread beyond them only looks at the sockets
        LongLimits long_limits;
    };

    /// Makes the transport queue these requests in a separate line. Each model has a reader and an encoder, in the
    /// order that the codecs use. All arguments must outlive this object.
    FastPath(Transport& transport, Settings settings, std::vector<Reader> readers,
             const std::vector<shared::Encoder>& encoders);

    /// Serves small requests, and computes submissions, until there is something for Python, or `wait_s` seconds have
    /// passed; with 0, only what has arrived. `thread` identifies the calling thread for `overdue`. `max_messages` and
    /// `max_bytes` limit the messages for Python as in Transport::take_messages. Where it may not `answer`, Python gets
    /// all messages, and submissions alone are computed.
    Report take_messages(std::size_t max_messages, double wait_s, std::size_t max_bytes, std::uint64_t thread,
                         bool may_answer = true);

    /// Lets sentences of a message that was taken wait in its turn to be computed, as Transport::submit does; a batch
    /// of `take_messages` returns them. Throws std::out_of_range if there is no such model.
    bool submit(std::uint64_t id, Submission submission, double spent);

    /// Returns what was served since the last call of this: everything whose answers a caller may have seen.
    std::vector<RunCounts> served();

    const Transport& transport() const { return transport_; }

    /// Returns how many numbers the rows of a model have.
    std::size_t dimension(std::size_t model) const { return models_[model].encoder.dimension; }

    Runs& runs() { return runs_; }

private:
    struct Work;
    struct Works;

    TakeLimits at_once(std::size_t max_messages, std::size_t max_bytes, bool may_run) const;
    bool is_to_report(double& again_at);
    bool serve(Batch& batch, std::uint64_t thread, bool may_answer);
    bool serve(std::span<Work* const> left, Batch& batch, std::uint64_t thread);
    Pace pace_of(const Request& request) const;
    double work_of(const Work& work, std::size_t call) const;
    void read(Batch& batch, Works& works);
    bool read(TakenMessage& message, Works& works) const;
    void read_on(Job& job, bool may_answer);
    void add(std::vector<Slice>& slices, Works& works) const;
    std::vector<Work*> in_order(Works& works) const;
    bool compute(std::span<Work* const> works, std::uint64_t thread, bool& is_given_up);
    void answer_known(const std::vector<std::pair<TakenMessage, Request>>& known);
    std::deque<Work> set_apart(Work& work, Batch& batch);
    void write(Work& work);
    void answer(Work& work, Batch& batch);
    void give_back(const std::shared_ptr<Job>& job, Outcome outcome, Batch& batch);
    void count(Work& work, const Transport::Answers& answers, const std::vector<std::size_t>& indices);
    RunCounts counts_of(const Job& job, double time) const;
    void note(RunCounts served);

    Transport& transport_;
    const Settings settings_;
    const std::vector<Reader> readers_;
    std::deque<Model> models_;
    Price call_;  // of a small one, besides its tokens and what is written
    std::array<Price, encodings> written_;  // of a byte, by its row's encoding
    const std::uint64_t number_;
    Runs runs_;
    std::atomic<double> reported_at_{0};  // when a thread last returned to have Python count what was served
    std::mutex served_mutex_;
    std::vector<RunCounts> served_;
};

}  // namespace transport
