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
#include "endpoint.hpp"
#include "http_head.hpp"

namespace transport {

class HttpCall final : public Call {
public:
    using Call::Call;

    /// What of its head has come.
    HttpHead head;

    /// Counts bytes of its head; false where there are too many: then the call is over.
    bool bears_bytes(std::size_t bytes) REQUIRES(the_lock);

    /// Makes of an absolute target a path, and of its authority the Host, whichever came (RFC 9112, section 3.2.2). False where it
    /// names no host.
    bool find_host() REQUIRES(the_lock);

    /// Looks at a header that `head` has, or at one of HTTP/2's.
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

    /// Responds, in place of whatever is done for it.
    void respond(Response response) REQUIRES(the_lock);

    /// Returns what of its body is to be sent next, at most so many bytes, until they are noted as sent.
    std::string_view body_front(std::size_t most) REQUIRES(the_lock) { return out_.front(most); }
    void body_sent(std::size_t bytes) REQUIRES(the_lock);

    /// Refuses what is no HTTP/1.1, or another version of it, in one line for a person.
    void refuse_bytes(int status, std::string_view words) REQUIRES(the_lock);

    bool is_plain() const override REQUIRES(the_lock) {
        return kind_ == Kind::method && is_json_ && !is_odd_ && !keeps_trace();
    }
    bool is_http() const override { return true; }
    bool was_slow() const override REQUIRES(the_lock) { return is_slow_ || refusal_ == Refusal::slow; }
    bool is_of_method() const REQUIRES(the_lock) { return kind_ != Kind::other; }

    /// Returns whether all of its request came, and may be answered.
    bool is_whole() const REQUIRES(the_lock) { return is_whole_; }

    bool waits_for_continue() const override REQUIRES(the_lock) {
        return expects_continue_ && !has_ended() && !message_ && !has_closed_;
    }

    /// Returns whether so few bytes of its body are on their way unasked that reading them is cheaper than another
    /// connection.
    bool has_small_body(std::size_t most) const REQUIRES(the_lock) {
        return !expects_continue_ && announced_ && *announced_ <= most;
    }
    const Endpoint& endpoint() const;

private:
    enum class Kind { method, probe, other };

    void fail(const Status& status) REQUIRES(the_lock);
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
    bool has_place_ = false;     // among the open requests of the application
    bool has_head_ = false, is_whole_ = false, is_slow_ = false;
    bool has_type_ = false, has_host_ = false, has_encoding_ = false;
    bool is_json_ = false, is_gzip_ = false, expects_continue_ = false;
    bool is_odd_ = false;  // something in its head is for the application to look at
};

}  // namespace transport
