// A gRPC call: its messages on their way, and its status. A unary call has one message, a stream a row of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "call.hpp"
#include "trailer.hpp"

namespace transport {

/// Call over gRPC, unary or a stream.
class GrpcCall final : public Call {
public:
    using Call::Call;

    void header(std::string_view name, std::string_view value) override REQUIRES(the_lock);
    void headers_came() override REQUIRES(the_lock);
    void data_came(std::string_view bytes) override REQUIRES(the_lock);
    void end_came() override REQUIRES(the_lock);
    void handed_over(Message& message) override REQUIRES(the_lock);
    void count_sentences(Message& message, std::string_view content) override REQUIRES(the_lock);
    void refuse_taken(const Status& status, Refusal refusal) override REQUIRES(the_lock);
    void answer(Message& message, std::string content, std::size_t cut) override REQUIRES(the_lock);
    void fail(const Message& message, const Status& status) override REQUIRES(the_lock);
    void drain() override REQUIRES(the_lock);
    void end_if_stalled(double time) override REQUIRES(the_lock);
    Piece read(std::span<std::uint8_t> room) override REQUIRES(the_lock);
    bool is_stream() const override REQUIRES(the_lock) { return kind_ == Kind::stream; }
    bool is_plain() const override REQUIRES(the_lock) { return !has_other_headers_ && !keeps_trace(); }
    bool has_ended() const override REQUIRES(the_lock) { return is_over_ || end_; }

    /// Sends a change of a service's health to the call if it watches that service.
    void tell_health(std::string_view service, bool is_serving) REQUIRES(the_lock);

private:
    enum class Kind { unary, stream, health_check, health_watch, unknown };

    /// Bytes of the answers that are released when they are sent.
    struct Leaving {
        std::uint64_t end;  // count of response bytes after which it has left
        std::size_t sentences, bytes;
    };

    bool is_of_health() const { return kind_ == Kind::health_check || kind_ == Kind::health_watch; }
    bool may_be_small() const REQUIRES(the_lock);
    bool look_at_key() REQUIRES(the_lock);
    Line& choose_line(Message& message) REQUIRES(the_lock);
    bool is_metered() const override REQUIRES(the_lock);
    bool takes_slot() const override REQUIRES(the_lock) { return kind_ == Kind::unary && is_metered(); }
    Refusal unfit() const override REQUIRES(the_lock);
    const Line* line_ahead() const override REQUIRES(the_lock);
    std::optional<int> counted_method() const override REQUIRES(the_lock);
    void say_end(Refusal why) override REQUIRES(the_lock);
    void say_denial(const Denial& denial) override REQUIRES(the_lock);
    void drop_all() override REQUIRES(the_lock) { drop(nullptr); }
    void set_path(std::string_view path);

    // Its messages.
    bool has_room() const REQUIRES(the_lock);
    bool waits_for_request() const REQUIRES(the_lock);
    void advance() REQUIRES(the_lock);
    bool frame_message() REQUIRES(the_lock);
    void accept(std::unique_ptr<Message> message) REQUIRES(the_lock);
    void consume() REQUIRES(the_lock);
    void flush() REQUIRES(the_lock);
    void drop(const Message* from) REQUIRES(the_lock);

    // What is asked of grpc.health.v1.
    bool take_place() override REQUIRES(the_lock);
    void give_place_back() override REQUIRES(the_lock);
    void check_health(const Message& request) REQUIRES(the_lock);

    // What it is sent.
    void put_message(std::string content, std::size_t sentences, std::size_t bytes) REQUIRES(the_lock);
    void submit() REQUIRES(the_lock);
    void submit_http_status(std::string_view status) REQUIRES(the_lock);

    Kind kind_ = Kind::unknown;
    static GrpcCall& greediest_of(const std::list<GrpcCall*>& watchers) REQUIRES(the_lock);
    std::size_t watches() const REQUIRES(the_lock);

    Entry<std::list<GrpcCall*>> watching_;  // among those who watch health
    bool is_grpc_ = false, is_post_ = false, is_gzip_ = false, has_unknown_encoding_ = false, has_bad_timeout_ = false;
    bool has_other_headers_ = false;  // than a trace's, of those that Python wants to see
    Bytes unframed_;
    std::size_t unconsumed_ = 0;  // bytes whose flow control window wasn't given back

    // What is on its way, in order.
    std::list<std::unique_ptr<Message>> messages_;  // a deque would allocate twice for a call that is refused
    std::size_t sentences_ = 0, bytes_ = 0;         // of the messages, and of responses that are not on the wire
    std::list<Leaving> leaving_;
    bool has_begun_ = false, is_deferred_ = false;
    std::shared_ptr<const Trailer> end_;  // the status with which it ends once `messages_` is empty
    std::optional<std::string> watched_;  // service of whose health it is told changes
};

}  // namespace transport
