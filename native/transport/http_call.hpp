// A call over HTTP: a request, and its response. Both have one body, whole. A call of a method is let in as gRPC's are;
// every other is a request of the application, which takes no slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "call.hpp"
#include "peer_address.hpp"
#include "http_head.hpp"

namespace transport {

/// Call over HTTP: a method's, a probe's, or a request for the application.
class HttpCall final : public Call {
public:
    using Call::Call;

    /// Head as far as it has arrived.
    HttpHead head;

    /// Counts bytes of its head; returns false if there are too many: then the call has ended.
    bool bears_bytes(std::size_t bytes) REQUIRES(the_lock);

    /// Reduces an absolute target to its path, and makes its authority the Host (RFC 9112, section 3.2.2). Returns
    /// false if it names no host.
    bool find_host() REQUIRES(the_lock);

    /// Processes a header that `head` holds, or one of HTTP/2's.
    void look_at(std::string_view name, std::string_view value) REQUIRES(the_lock);
    void header(std::string_view name, std::string_view value) override REQUIRES(the_lock);
    void headers_came() override REQUIRES(the_lock);
    void data_came(std::string_view bytes) override REQUIRES(the_lock);
    void end_came() override REQUIRES(the_lock);

    void handed_over(Message& message) override REQUIRES(the_lock);
    void count_sentences(Message&, std::string_view) override {}
    void refuse_taken(const Status& status, Refusal refusal) override REQUIRES(the_lock);
    void answer(Message& message, std::string content, std::size_t cut) override REQUIRES(the_lock);
    void fail(const Message& message, const Status& status) override REQUIRES(the_lock);
    bool pass_on(Message& message, std::string&& content) override REQUIRES(the_lock);
    void end_slow() override REQUIRES(the_lock);
    void drain() override REQUIRES(the_lock);
    void end_if_stalled(double time) override REQUIRES(the_lock);
    Piece read(std::span<std::uint8_t> room) override REQUIRES(the_lock);

    /// Sends a response, and cancels whatever is done for the request.
    void respond(Response response) REQUIRES(the_lock);

    /// Returns the next bytes of its body, at most `max_bytes`, which stay valid until they are noted as sent.
    std::string_view body_front(std::size_t max_bytes) REQUIRES(the_lock) { return out_.front(max_bytes); }
    void body_sent(std::size_t bytes) REQUIRES(the_lock);

    /// Refuses bytes that aren't HTTP/1.1, or another version, with one line for people.
    void refuse_bytes(int status, std::string_view words) REQUIRES(the_lock);

    bool is_plain() const override REQUIRES(the_lock);
    bool is_http() const override { return true; }
    bool was_slow() const override REQUIRES(the_lock) { return is_slow_ || refusal_ == Refusal::slow; }
    bool is_of_method() const REQUIRES(the_lock) { return kind_ != Kind::other; }

    /// Returns whether its request is complete, and may be answered.
    bool is_whole() const REQUIRES(the_lock) { return is_whole_; }

    bool waits_for_continue() const override REQUIRES(the_lock) {
        return expects_continue_ && !has_ended() && !message_ && !has_closed_;
    }

    /// Returns whether the rest of its body is so short that reading it is cheaper than a new connection.
    bool has_small_body(std::size_t max_bytes) const REQUIRES(the_lock) {
        return !expects_continue_ && announced_ && *announced_ <= max_bytes;
    }
    const PeerAddress& peer_address() const;

private:
    enum class Kind { method, probe, other };

    void fail(const Status& status) REQUIRES(the_lock);
    void respond_to_page(Response response) REQUIRES(the_lock);
    void find_method() REQUIRES(the_lock);
    std::size_t words() const REQUIRES(the_lock);  // of the responses that refuse it
    std::size_t max_bytes() const REQUIRES(the_lock);
    void accept(bool is_whole) REQUIRES(the_lock);
    Line& choose_line() REQUIRES(the_lock);
    bool waits_for_request() const REQUIRES(the_lock) { return !has_ended() && !message_; }
    bool is_metered() const override REQUIRES(the_lock) { return kind_ == Kind::method; }
    bool takes_slot() const override REQUIRES(the_lock) { return kind_ == Kind::method; }
    Refusal unfit() const override REQUIRES(the_lock);
    const Line* line_ahead() const override REQUIRES(the_lock);
    bool take_place() override REQUIRES(the_lock);
    void give_place_back() override REQUIRES(the_lock);
    std::optional<int> counted_method() const override REQUIRES(the_lock);
    void say_end(Refusal why) override REQUIRES(the_lock);
    void say_denial(const Denial& denial) override REQUIRES(the_lock);
    void drop_all() override REQUIRES(the_lock);

    Kind kind_ = Kind::other;
    std::string body_;
    std::unique_ptr<Message> message_;  // the request, once it has come
    std::optional<std::size_t> announced_;  // bytes of its body, as its head says
    bool has_place_ = false;  // among the open requests of the application
    bool has_head_ = false, is_whole_ = false, is_slow_ = false;
    bool has_type_ = false, has_host_ = false, has_encoding_ = false;
    bool is_json_ = false, is_gzip_ = false, expects_continue_ = false;
    bool is_odd_ = false;  // something in its head is for the application to look at
};

}  // namespace transport
