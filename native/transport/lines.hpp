// The lines in which messages wait, and who would wait in them for too long.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "clock.hpp"
#include "codec.hpp"
#include "line.hpp"
#include "message.hpp"

namespace transport {

/// Lines in which messages wait. Plain requests, which are answered without Python, have a line of their own, since
/// Python's line moves no faster than Python takes messages, and others must not bypass it. So have calls that take no
/// slot.
class Lines {
public:
    Line metered, small, unmetered;
    Line application;  // requests over HTTP, which are taken apart from all messages

    /// Queues requests of `method` that its codec can read, of at most `max_sentences` sentences, in `small`. Those
    /// with more than `bytes` bytes or `sentences` sentences are long: they are served in slices. `row_bytes` is an
    /// upper bound on a sentence's part of a response.
    void set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes, std::size_t sentences,
                   std::size_t max_sentences, std::size_t row_bytes = 0);
    bool is_small_method(std::size_t method) const { return small_.contains(method); }

    /// Returns the line for a message of a call of `method` that takes a slot, whose caller waits for `left_s` seconds;
    /// if that is negative, a long one is left to Python. Sets whether it is long (a compressed one counts as long),
    /// its estimated cost, and the expected size of its answer. `may_be_small` says whether the call's headers allow
    /// the fast path.
    Line& choose(Message& message, std::size_t method, bool may_be_small, double left_s = never);

    /// Returns whether a caller's next message would wait in `in` for longer than `patience_s` seconds.
    bool is_late(const Line& in, const Account& caller, double patience_s) const;

    /// Returns the last message of `in` if it is late because of messages that arrived after it and come before it;
    /// null otherwise.
    Message* late(const Line& in) const;

    /// Returns whether a message waits that would occupy a thread for long.
    bool has_costly() const { return metered.has_costly() || small.has_costly(); }

    std::size_t size() const { return metered.size() + small.size() + unmetered.size(); }

private:
    struct Small {
        std::shared_ptr<const Codec> codec;
        std::size_t bytes, sentences, max_sentences;
        std::size_t row_bytes;  // that a sentence's part of a response takes at most
    };

    std::map<std::size_t, Small> small_;  // by method
};

}  // namespace transport
