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

/// Why a share is denied.
enum class Excess { too_many, over_concurrency, over_rate };

/// That a share is denied.
struct Denial {
    Excess reason;
    double limit;              // of the key, which would be exceeded
    std::int64_t in_progress;  // sentences, where they are too many at once
    double after_s;            // after which it makes sense to ask again; 0 where it never does
};

/// The count of one key's sentences, by whatever door they come, and its limits. Every method may be called by any
/// thread, and is over at once: it takes a lock of its own and nothing inside it. Whoever asks says what time it is, as
/// `now()` does, so that tests need not wait.
class Usage {
public:
    Usage(std::optional<double> sentences_per_s, std::optional<std::int64_t> concurrent_sentences, double now);

    /// Replaces the limits. What is in progress, saved or owed stays.
    void set_limits(std::optional<double> sentences_per_s, std::optional<std::int64_t> concurrent_sentences);

    /// Returns whether any share can be denied now. Takes no lock.
    bool has_limits() const { return has_limits_.load(std::memory_order_relaxed); }

    /// Begins so many sentences, of which long ones count `extra` times more in a second's share; else says why not.
    std::optional<Denial> take(std::int64_t sentences, std::int64_t extra, double now);

    /// Says whether the key has had more than its share of a second, or will have, once `ahead` sentences have theirs.
    std::optional<Denial> check(std::int64_t ahead, double now);

    /// Takes so many of the share for a request that was none. However many come, the debt is no larger than one.
    void pay(std::int64_t sentences);

    /// Ends so many: they are done, or, `unserved`, don't count.
    void give_back(std::int64_t sentences, std::int64_t extra, bool unserved);

    std::int64_t in_progress();

private:
    std::optional<Denial> excess_at_once(std::int64_t sentences) const;
    std::optional<Denial> debt(std::int64_t ahead, double now);

    std::atomic<bool> has_limits_;
    std::mutex mutex_;  // of all that follows
    std::optional<double> rate_;
    std::optional<std::int64_t> most_;
    std::int64_t in_progress_ = 0;
    double saved_, counted_at_;  // sentences that may come at once; when that was reckoned
};

/// What was taken of a key's share for one call. It is given back when this goes, at the latest.
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

    /// Takes the share of these sentences, in UTF-8, where anything counts it; else says why there is none.
    std::optional<Denial> take(const std::shared_ptr<Usage>& of, const std::vector<std::string_view>& sentences);

    /// Gives it back: the sentences are done, or nobody wants them any more.
    void end() { give_back(false); }

    /// Gives it back as if it had never been taken: somebody else takes it for the same call.
    void undo() { give_back(true); }

private:
    void give_back(bool unserved) {
        if (const auto of = std::exchange(of_, nullptr)) of->give_back(sentences_, extra_, unserved);
    }

    std::shared_ptr<Usage> of_;
    std::int64_t sentences_ = 0, extra_ = 0;
};

/// Returns why a call is refused to which a share is denied; none where that can't be had at any time, which is no
/// refusal for want of room.
Refusal refusal_of(const Denial& denial);

/// Fills in what differs from one denial to the next: {limit}, {in_progress}, {retry_after_s}, which is rounded up, and
/// {retry_after_ms}.
std::string filled_in(std::string text, const Denial& denial);

/// Fills in the message of the status of such a refusal, here and in its details, to which it adds google.rpc.RetryInfo.
Status filled_in(const Status& prepared, const Denial& denial);

/// Fills in the headers and the body of the response of such a refusal.
Response filled_in(const Response& prepared, const Denial& denial);

}  // namespace transport
