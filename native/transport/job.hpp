// A long request that is served in slices, by several threads: what was read of it, and what is written. Its caller's
// share is not counted: where it is, such requests are Python's.
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
    double work = 0;        // that they take, in seconds of a core

    std::size_t sentences() const { return to - from; }
};

/// What sentences of a long request take, in seconds of a core.
struct Pace {
    double token_s = 0;  // to compute a token
    double row_s = 0;    // to write a row
    bool is_known = false;  // else nothing has run yet
};

/// How much a slice may hold. At least one sentence is in it, and up to `few` where they have at most `max_tokens`; more of them where
/// they take at most `soon_s`.
struct SliceLimits {
    std::size_t few, max_sentences;
    double soon_s;
    std::size_t max_tokens;

    /// Returns those of a slice that is computed beside so many sentences, or calls, with so many bytes.
    SliceLimits beside(std::size_t count, std::size_t bytes) const {
        if (count == 0) return *this;
        const std::size_t left = few - std::min(few, count), tokens = max_tokens - std::min(max_tokens, bytes / token_bytes);
        return {.few = left, .max_sentences = std::max<std::size_t>(left, 1), .soon_s = soon_s, .max_tokens = tokens};
    }
};

/// What can be read of a long request.
struct LongLimits {
    std::size_t sentences, sentence_bytes, tokens;
};

class Job {
public:
    /// `of_path` is the number of the fast path that serves it: no answer is of two models, of which one took over.
    Job(std::uint64_t of_path, TakenMessage taken) : path(of_path), message(std::move(taken)) {}

    const std::uint64_t path;
    const TakenMessage message;

    /// Whether nobody waits for it any more, or somebody has what it became. Who sets it, and found it false, says what becomes of it.
    std::atomic<bool> is_over{false};

    // One thread at a time.

    enum class Read { more, whole, declined };

    /// Reads some more of it, by the reader of the model that it asks for. What is declined is for Python.
    Read read(const std::shared_ptr<const Codec>& codec, std::span<const Reader> readers, const LongLimits& limits);

    const Request& request() const { return request_; }
    const Tokens& tokens() const { return tokens_; }

    /// Returns the bytes that it takes, with its rows' of so many numbers.
    std::size_t bytes(std::size_t dimension) const;

    // With the transport's lock.

    /// Returns whether all of it is read: its slices may be taken.
    bool is_whole() const { return is_whole_; }
    void set_whole() { is_whole_ = true; }

    /// Says what its sentences take, once all of it is read.
    void set_pace(const Pace& pace) { pace_ = pace; }

    /// Returns what all of it takes, and what its longest sentence does, which can't be cut.
    double work() const { return double(tokens_.size()) * pace_.token_s + double(tokens_.sentences()) * pace_.row_s; }
    double max_work_at_once() const;

    /// Returns how many bytes its response will have, at most.
    std::size_t response_bytes(std::size_t dimension) const;

    /// Cuts the next slice of what nobody has taken.
    static Slice cut(const std::shared_ptr<Job>& job, const SliceLimits& limits);

    /// Returns how many sentences nobody has taken.
    std::size_t untaken() const { return request_.sentences.size() - next_; }
    std::size_t untaken_tokens() const { return tokens_.size() - std::size_t(tokens_.offsets()[next_]); }

    // By any thread.

    /// Writes the rows of a slice, once those before it are written. Returns whether the response is complete.
    bool put(const Slice& slice, const float* rows, std::size_t dimension);

    // Once `put` has returned true.

    std::string take_response() { return std::move(response_); }
    double tokenise_s() const { return tokenise_s_; }
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
    double tokenise_s_ = 0, serialise_s_ = 0;
    bool is_whole_ = false;
    std::size_t next_ = 0;  // sentence that nobody has taken
    Pace pace_;
    std::mutex mutex_;
    struct Rows {
        std::size_t sentences;
        std::unique_ptr<float[]> numbers;
    };
    std::map<std::size_t, Rows> waiting_;  // rows behind others that aren't there yet, by their first sentence
    std::size_t written_ = 0;              // sentences
    std::string response_;
};

}  // namespace transport
