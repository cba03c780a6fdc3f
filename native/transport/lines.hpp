// The lines in which messages wait, and who would wait in them for too long.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "clock.hpp"
#include "codec.hpp"
#include "line.hpp"
#include "message.hpp"

namespace transport {

/// Plain requests of some methods, which are answered without Python, wait apart from all others: what isn't plain must
/// not pass by the line whose messages are taken no faster than Python wants them. So do calls that take no slot.
class Lines {
public:
    Line metered, small, unmetered;
    Line application;  // requests over HTTP, which are taken apart from all messages

    /// Has requests of `method` that its codec may read, of at most `max_sentences`, wait in `small`. Those of more bytes
    /// or sentences than these are long: they are served in slices. A sentence's part of a response takes up to `row_bytes`.
    void set_small(std::size_t method, std::shared_ptr<const Codec> codec, std::size_t bytes, std::size_t sentences,
                   std::size_t max_sentences, std::size_t row_bytes = 0);
    bool is_small_method(std::size_t method) const { return small_.contains(method); }

    /// Returns the line of a message of a call of `method` that takes a slot, and whose caller waits for `left_s`; below 0,
    /// a long one is left to Python. Notes whether it is long, as what came compressed is, of which nothing is known yet;
    /// `may_be_small`, as far as the call's headers say. Estimates what it takes, and how large its answer will be.
    Line& choose(Message& message, std::size_t method, bool may_be_small, double left_s = never);

    /// Notes the time at which a sentence that comes to Python now would begin, behind what was taken of `metered`. Who
    /// told it may sleep for long, so a wait in seconds would be over before it is told anew.
    void set_queue(double begins_at) { begins_at_ = begins_at; }

    /// Returns whether a caller's next message would wait in `in` for longer than `patience_s`.
    bool is_late(const Line& in, const Account& caller, double patience_s) const;

    /// Returns the last message of `in` where all that stands before it makes it late, which others did who came after
    /// it and whose turn is before its own; null otherwise.
    Message* late(const Line& in) const;

    /// Returns whether something waits that would keep a thread for long.
    bool has_costly() const { return metered.has_costly() || small.has_costly(); }

    std::size_t size() const { return metered.size() + small.size() + unmetered.size(); }

private:
    double queue_s(const Line& in) const { return &in == &small ? 0 : std::max(0.0, begins_at_ - now()); }

    struct Small {
        std::shared_ptr<const Codec> codec;
        std::size_t bytes, sentences, max_sentences;
        std::size_t row_bytes;  // that a sentence's part of a response takes at most
    };

    std::map<std::size_t, Small> small_;  // by method
    double begins_at_ = 0;
};

}  // namespace transport
