// Counts what it costs to read a connection that brings no work.
#pragma once

#include <algorithm>
#include <cstddef>

namespace transport {

/// Estimated cost, in seconds, of reading bytes of one connection that led to nothing. It is computed and not measured,
/// since a clock would include other work of the machine. Each received byte costs something, and each byte of a header
/// after decompression; an allowance for messages and for sent bytes is subtracted. What remains is the cost of frames
/// that ask for nothing, and of excessive headers.
class Overhead {
public:
    /// Adds received bytes, `passed_s` seconds after those before them.
    void came(std::size_t bytes, double passed_s) {
        seconds_ = std::max(0.0, seconds_ - free_share * passed_s) + byte_s * double(bytes);
    }
    void unpacked(std::size_t header_bytes) { seconds_ += header_byte_s * double(header_bytes); }

    /// Subtracts the allowance for bytes of a message.
    void took(std::size_t bytes) { pay(byte_s * double(bytes)); }

    /// Adds the bytes of messages whose call is refused, for which the allowance had been subtracted.
    void wasted(std::size_t bytes) { seconds_ += wasted_byte_s * double(bytes); }

    /// Adds bytes for a call that has ended; its peer may have sent them before it knew, and they are dropped.
    void dropped(std::size_t bytes) { pay((byte_s - dropped_byte_s) * double(bytes)); }
    void sent(std::size_t bytes) { pay(sent_byte_s * double(bytes)); }

    /// Subtracts the allowance for a message that arrived or had no room; for the first one, also that for its call's
    /// headers.
    void asked(std::size_t header_bytes) { pay(message_s + byte_s * double(header_bytes)); }

    bool is_much() const { return seconds_ > max_s; }

    /// Returns how many of `max_bytes` bytes may be read at once: few until messages have arrived.
    std::size_t piece(std::size_t max_bytes) const {
        return seconds_ < begun_s ? max_bytes : std::min(max_bytes, small_piece);
    }

    /// Returns the excess seconds, and resets them; 0 unless they are many.
    double take_excess() {
        if (!is_much()) return 0;
        const double excess_s = seconds_ - rested_s;
        seconds_ = rested_s;
        return excess_s;
    }

private:
    static constexpr double byte_s = 3e-8;  // a ping's answer of 17 bytes, or an index of HPACK's of one
    static constexpr double header_byte_s = 1e-9;  // as HTTP/2 counts them
    static constexpr double dropped_byte_s = 4e-10;  // to copy one, and to decrypt it
    static constexpr double wasted_byte_s = 4e-10;
    static constexpr double sent_byte_s = 1e-9;  // windows are told in thirteen bytes for each few thousand
    static constexpr double message_s = 3e-5;  // what comes with each besides, a ping and windows say
    // Twenty thousand bytes before the first message: a call with as many headers as it may have.
    static constexpr double begun_s = 6e-4, max_s = 2 * begun_s, rested_s = max_s - 7.5e-5;
    static constexpr double free_share = 3e-4;  // of all time
    static constexpr std::size_t small_piece = 2048;

    void pay(double seconds) { seconds_ = std::max(0.0, seconds_ - seconds); }

    double seconds_ = begun_s;
};

}  // namespace transport
