// What the fast path knows of a method: how its requests are read, and its responses written.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract.hpp"
#include "options.hpp"

namespace transport {

/// Request as its codec has parsed it. It may be moved, but the bytes that it was parsed from must stay in place while
/// its sentences are used.
struct Request {
    std::vector<std::string_view> sentences;  // UTF-8, or else no text; views of the message, or of what is kept
    Options options;
    std::size_t model = 0;             // that it asks for: its place among the fast path's
    std::shared_ptr<const void> kept;  // what else its codec needs of it
    std::size_t kept_bytes = 0;        // that this takes, about
    double arrived = 0;  // when its message came, by the clock of clock.hpp: whoever has it read says so
    // Where there is nothing to embed, with what it is answered, which is the codec's: an error, or a response. That is
    // for callers who have no limits of their own.
    const Status* error = nullptr;
    const std::string* response = nullptr;
};

/// Result of tokenising a sentence.
struct Reading {
    std::size_t tokens;
    bool is_truncated;
};

/// Sentence's embedding as computed by the encoder.
struct Row {
    const float* numbers;
    std::size_t count;  // of numbers
    std::size_t index;  // of the sentence in its request
    Reading reading;
};

/// Parser of one method's requests and writer of its responses, for all models. Requests that aren't plain are left to
/// Python, which has their error texts. Safe to use from several threads.
class Codec {
public:
    virtual ~Codec() = default;

    /// Returns how many sentences a request seems to have, or 1 if counting would take long; none if it can't be plain
    /// or has more than `max_sentences`. It takes no memory and little time, since a shard's lock is held. `read`
    /// may still decline the request.
    virtual std::optional<std::size_t> count(std::string_view content, std::size_t max_sentences) const = 0;

    /// Parses a plain request of one to `max_sentences` sentences, or one that is answered at once. Returns false for
    /// any other request; then `request` is undefined.
    virtual bool read(std::string_view content, std::size_t max_sentences, Request& request) const = 0;

    /// Returns the options of a request that doesn't say in which form it wants its rows.
    virtual Options usual_options() const { return {}; }

    // A response is written in pieces, so that rows needn't be kept until there are all: its beginning, its rows in the
    // order of their sentences, and its end. Each appends to `response`, or fills what `begin` has left room for at its
    // end. Of the request only the number of sentences is looked at, and no text.

    virtual void begin(const Request& request, std::string& response) const = 0;
    virtual void append(const Request& request, const Row& row, std::string& response) const = 0;

    /// Completes the response; `readings` are those of all sentences, in order.
    virtual void end(const Request& request, std::span<const Reading> readings, std::string& response) const = 0;
};

}  // namespace transport
