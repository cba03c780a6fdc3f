// What the holder of a key has used of its share: sentences a second, and at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract.hpp"

namespace transport {

/// Reason for which a quota is exceeded.
enum class Excess { too_many, over_concurrency, over_rate };

/// Refusal because a quota is exceeded.
struct Denial {
    Excess reason;
    double limit;              // of the key, which would be exceeded
    std::int64_t in_progress;  // sentences, where they are too many at once
    double after_s;            // after which it makes sense to ask again; 0 where it never does
};

/// Count of one key's sentences over all protocols, and its limits. Every method may be called by any thread, and
/// returns at once: it takes only a lock of its own. The caller passes the time (`now()`), so that tests needn't wait.
class Usage {
public:
    Usage(std::optional<double> sentences_per_s, std::optional<std::int64_t> concurrent_sentences, double now);

    /// Replaces the limits. Sentences in progress, and what is saved or owed, stay as they are.
    void set_limits(std::optional<double> sentences_per_s, std::optional<std::int64_t> concurrent_sentences);

    /// Returns whether there is any limit now. Takes no lock.
    bool has_limits() const { return has_limits_.load(std::memory_order_relaxed); }

    /// Starts `sentences` sentences; `extra` is what long ones add to the count of sentences a second. Returns none, or
    /// the reason for a refusal.
    std::optional<Denial> take(std::int64_t sentences, std::int64_t extra, double now);

    /// Returns the refusal that would apply after `ahead` more sentences have been counted; none if there would be
    /// none.
    std::optional<Denial> check(std::int64_t ahead, double now);

    /// Charges a failed request as this many sentences. The debt never exceeds that of one such request.
    void pay(std::int64_t sentences);

    /// Ends sentences: they are done, or `unserved`, which means that they don't count.
    void give_back(std::int64_t sentences, std::int64_t extra, bool unserved);

    std::int64_t in_progress();

private:
    std::optional<Denial> excess_at_once(std::int64_t sentences) const;
    std::optional<Denial> debt(std::int64_t ahead, double now);

    std::atomic<bool> has_limits_;
    std::mutex mutex_;  // of all that follows
    std::optional<double> rate_;
    std::optional<std::int64_t> max_concurrent_;
    std::int64_t in_progress_ = 0;
    double saved_, counted_at_;  // sentences that may come at once; when that was reckoned
};

/// Sentences that are counted for one call against its key's quota. They are given back by the destructor at the
/// latest.
class Charge {
public:
    Charge() = default;
    Charge(Charge&& other) noexcept = default;
    Charge& operator=(Charge&& other) noexcept {
        end();
        of_ = std::move(other.of_);
        sentences_ = other.sentences_;
        extra_ = other.extra_;
        return *this;
    }
    ~Charge() { end(); }

    /// Counts these UTF-8 sentences against the quota, if there is one; returns the reason if that is refused.
    std::optional<Denial> take(const std::shared_ptr<Usage>& of, const std::vector<std::string_view>& sentences);

    /// Gives them back: the sentences are done, or nobody wants them any more.
    void end() { give_back(false); }

    /// Gives them back as if they had never been counted, because another part counts them for the same call.
    void undo() { give_back(true); }

private:
    void give_back(bool unserved) {
        if (const auto of = std::exchange(of_, nullptr)) of->give_back(sentences_, extra_, unserved);
    }

    std::shared_ptr<Usage> of_;
    std::int64_t sentences_ = 0, extra_ = 0;
};

/// Returns the reason for refusing a call because of `denial`; Refusal::none if no wait would help, which isn't a
/// matter of load.
Refusal refusal_of(const Denial& denial);

/// Fills in what differs from one refusal to the next: {limit}, {in_progress}, {retry_after_s} (rounded up), and
/// {retry_after_ms}.
std::string filled_in(std::string text, const Denial& denial);

/// Fills in the message of such a status, here and in its details, to which it adds google.rpc.RetryInfo.
Status filled_in(const Status& prepared, const Denial& denial);

/// Fills in the headers and the body of such a response.
Response filled_in(const Response& prepared, const Denial& denial);

}  // namespace transport
