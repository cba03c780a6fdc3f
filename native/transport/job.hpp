// A long request that is served in slices, by several threads: what was read of it, and what is written. Its caller's
// share is not counted: where it is, such requests are Python's. Of others Python has read the sentences, and only their
// rows are computed here.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "clock.hpp"
#include "codec.hpp"
#include "model.hpp"
#include "taken.hpp"
#include "tokens.hpp"

namespace transport {

constexpr std::size_t token_bytes = 4;  // of a text, about

class Job;

/// Sentences of a job that one thread computes: from `from` to before `to`.
struct Slice {
    std::shared_ptr<Job> job;
    std::size_t from = 0, to = 0;
    std::size_t bytes = 0;  // of their text
    double work = 0;  // that they take, in seconds of a core

    std::size_t sentences() const { return to - from; }
};

/// Cost of a long request's sentences, in seconds of a core.
struct Pace {
    double token_s = 0;  // to compute a token
    double row_s = 0;  // to write a row
    bool is_known = false;  // else nothing has run yet
};

/// Limits on a slice. It has at least one sentence; up to `usual_sentences` if they have at most `max_tokens` tokens;
/// and more, up to `max_sentences`, if they take at most `soon_s` seconds.
struct SliceLimits {
    std::size_t usual_sentences, max_sentences;
    double soon_s;
    std::size_t max_tokens;

    /// Returns the limits on a slice that is computed together with `count` calls or sentences of `bytes` bytes.
    SliceLimits together_with(std::size_t count, std::size_t bytes) const {
        if (count == 0) return *this;
        const std::size_t left = usual_sentences - std::min(usual_sentences, count),
                          tokens = max_tokens - std::min(max_tokens, bytes / token_bytes);
        return {.usual_sentences = left,
                .max_sentences = std::max<std::size_t>(left, 1),
                .soon_s = soon_s,
                .max_tokens = tokens};
    }
};

/// Limits on a long request that is parsed here.
struct LongLimits {
    std::size_t sentences, sentence_bytes, tokens;
};

/// Sentences of a message, as token ids, of which whoever has taken that message wants the rows.
struct Submission {
    std::size_t model;  // its place among the fast path's
    Tokens tokens;  // a piece a sentence
    double deadline;  // time after which nobody wants them
};

/// Request that several threads serve in slices, with its rows: a long one, which is read and answered here, or a
/// submission, whose rows go to whoever has submitted it.
class Job {
public:
    /// `of_path` is the number of the fast path (fast_path.hpp) that serves it; no other may go on with it, since its models
    /// may be others, and an answer must not mix two.
    Job(std::uint64_t of_path, TakenMessage taken) : path(of_path), message(std::move(taken)) {}

    /// Job of token ids, whose rows have `dimension` numbers each.
    Job(std::uint64_t of_path, TakenMessage taken, Submission submission, std::size_t dimension);

    const std::uint64_t path;
    const TakenMessage message;

    /// Whether its rows go to whoever has submitted it, who answers the message.
    bool is_submitted() const { return is_submitted_; }

    /// Whether nobody waits for it any more, or its outcome is decided. The thread that changes it from false decides
    /// the outcome.
    std::atomic<bool> is_over{false};

    // One thread at a time.

    enum class Read { more, whole, declined };

    /// Parses another part of it, with the tokenizer of its model. What is declined is left to Python.
    Read read(const std::shared_ptr<const Codec>& codec, std::span<const Reader> readers, const LongLimits& limits);

    const Request& request() const { return request_; }
    const Tokens& tokens() const { return tokens_; }

    /// Returns the bytes that it holds, including those of its rows of this dimension.
    std::size_t bytes(std::size_t dimension) const;

    // With the lock of its message's shard.

    /// Returns whether it is completely parsed, so that its slices may be taken.
    bool is_whole() const { return is_whole_; }
    void set_whole() { is_whole_ = true; }

    /// Sets the cost of its sentences, once it is completely parsed.
    void set_pace(const Pace& pace) { pace_ = pace; }

    /// Returns the estimated cost of the whole request, in seconds of one core. `max_work_at_once` returns that of its
    /// longest sentence, which can't be cut.
    double work() const { return double(tokens_.size()) * pace_.token_s + double(tokens_.sentences()) * pace_.row_s; }
    double max_work_at_once() const;

    /// Returns the time after which nobody wants the rows of a submission.
    double deadline() const { return deadline_; }

    /// Returns an upper bound on the size of its response in bytes.
    std::size_t response_bytes(std::size_t dimension) const;

    /// Cuts the next slice off the sentences that nobody has taken.
    static Slice cut(const std::shared_ptr<Job>& job, const SliceLimits& limits);

    /// Returns the number of sentences that nobody has taken.
    std::size_t untaken() const { return tokens_.sentences() - next_; }
    std::size_t untaken_tokens() const { return tokens_.size() - tokens_.before(next_); }

    // By any thread.

    /// Writes the rows of a slice, which took `engine_s` seconds to compute, once those before it are written. Returns
    /// whether the response is complete.
    bool put(const Slice& slice, const float* rows, std::size_t dimension, double engine_s);

    // Once `put` has returned true.

    /// Returns the rows of a submission, float32 [sentences, dimension]; then it has none any more.
    std::unique_ptr<float[]> take_rows() { return std::move(rows_); }
    std::string take_response() { return std::move(response_); }
    double tokenise_s() const { return tokenise_s_; }
    double engine_s() const { return engine_s_; }
    double serialise_s() const { return serialise_s_; }

private:
    bool inflate();
    std::string_view content() const { return message.is_compressed ? inflated_ : message.content; }
    Read tokenise(const Reader& reader, const LongLimits& limits);
    bool put_in_order(const Slice& slice, const float* rows, std::size_t dimension);
    void write(std::size_t from, const float* rows, std::size_t sentences, std::size_t dimension);

    std::string inflated_;
    std::shared_ptr<const Codec> codec_;
    Request request_;
    Tokens tokens_;
    double tokenise_s_ = 0, engine_s_ = 0, serialise_s_ = 0;
    bool is_whole_ = false;
    std::size_t next_ = 0;  // sentence that nobody has taken
    Pace pace_;
    std::mutex mutex_;
    struct Rows {
        std::size_t sentences;
        std::unique_ptr<float[]> numbers;
    };
    std::map<std::size_t, Rows> waiting_;  // rows behind others that aren't there yet, by their first sentence
    std::size_t written_ = 0;  // sentences
    std::string response_;
    const bool is_submitted_ = false;
    const double deadline_ = never;
    std::unique_ptr<float[]> rows_;  // of a submission
};

}  // namespace transport
