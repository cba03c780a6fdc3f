#include "usage.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "clock.hpp"
#include "protobuf.hpp"

namespace transport {
namespace {

constexpr double burst_s = 1;        // for which a share that was not used is kept
constexpr double retry_s = 0.1;      // after which to ask again, where nobody knows when sentences will be done
constexpr double rounding_s = 1e-3;  // so that the share is there for who comes then
constexpr std::int64_t long_chars = 4096;

/// Replaces `name` by a number, formatted like Python's: with six digits, or as an integer.
void fill_in(std::string& text, std::string_view name, const char* format, double number) {
    const std::size_t index = text.find(name);
    if (index == std::string::npos) return;
    char digits[32];
    const int size = std::snprintf(digits, sizeof digits, format, number);
    text.replace(index, name.size(), digits, std::size_t(size));
}

/// Serialises code and message, the first fields of a google.rpc.Status.
std::string beginning(const Status& status) {
    std::string bytes;
    append_number(bytes, 1, std::uint64_t(status.code));
    append_bytes(bytes, 2, status.message);
    return bytes;
}

/// Returns what a long UTF-8 sentence counts beyond one: one for every 4,096 characters.
std::int64_t extra_of(std::string_view sentence) {
    if (sentence.size() < std::size_t(long_chars)) return 0;
    return std::count_if(sentence.begin(), sentence.end(), [](char byte) { return (byte & 0xc0) != 0x80; }) /
           long_chars;
}

/// Converts seconds to nanoseconds, as in google.protobuf.Duration.
std::uint64_t nanoseconds(double seconds) { return std::uint64_t(seconds * 1e9); }

/// Serialises google.rpc.RetryInfo as a detail of a status.
std::string retry_info(double after_s) {
    std::string delay, info, any;
    append_number(delay, 1, nanoseconds(after_s) / 1'000'000'000);
    append_number(delay, 2, nanoseconds(after_s) % 1'000'000'000);
    append_bytes(info, 1, delay);
    append_bytes(any, 1, "type.googleapis.com/google.rpc.RetryInfo");
    append_bytes(any, 2, info);
    return any;
}

}  // namespace

Usage::Usage(std::optional<double> sentences_per_s, std::optional<std::int64_t> concurrent_sentences, double now)
    : has_limits_(sentences_per_s || concurrent_sentences),
      rate_(sentences_per_s),
      max_concurrent_(concurrent_sentences),
      saved_(sentences_per_s.value_or(0) * burst_s),
      counted_at_(now) {}

void Usage::set_limits(std::optional<double> sentences_per_s, std::optional<std::int64_t> concurrent_sentences) {
    has_limits_ = sentences_per_s || concurrent_sentences;
    const std::lock_guard lock(mutex_);
    rate_ = sentences_per_s;
    max_concurrent_ = concurrent_sentences;
}

std::optional<Denial> Usage::take(std::int64_t sentences, std::int64_t extra, double now) {
    const std::lock_guard lock(mutex_);
    if (const auto denial = excess_at_once(sentences)) return denial;
    if (rate_) {
        if (const auto denial = debt(0, now)) return denial;
        saved_ -= double(sentences + extra);  // into debt: else what is more than is ever saved would wait for ever
    }
    in_progress_ += sentences;
    return std::nullopt;
}

std::optional<Denial> Usage::check(std::int64_t ahead, double now) {
    const std::lock_guard lock(mutex_);
    return rate_ ? debt(ahead, now) : std::nullopt;
}

void Usage::pay(std::int64_t sentences) {
    const std::lock_guard lock(mutex_);
    if (rate_) saved_ = std::min(saved_, std::max(saved_, 0.0) - double(sentences));
}

void Usage::give_back(std::int64_t sentences, std::int64_t extra, bool unserved) {
    const std::lock_guard lock(mutex_);
    in_progress_ -= sentences;
    if (unserved) saved_ += double(sentences + extra);
}

std::int64_t Usage::in_progress() {
    const std::lock_guard lock(mutex_);
    return in_progress_;
}

std::optional<Denial> Usage::excess_at_once(std::int64_t sentences) const {
    if (!max_concurrent_) return std::nullopt;
    if (sentences > *max_concurrent_) return Denial{Excess::too_many, double(*max_concurrent_), in_progress_, 0};
    if (in_progress_ + sentences > *max_concurrent_)
        return Denial{Excess::over_concurrency, double(*max_concurrent_), in_progress_, retry_s};
    return std::nullopt;
}

std::optional<Denial> Usage::debt(std::int64_t ahead, double now) {
    const double passed_s = std::max(0.0, now - counted_at_);  // two threads may ask in another order than they looked
    saved_ = std::min(*rate_ * burst_s, saved_ + *rate_ * passed_s);
    counted_at_ = std::max(counted_at_, now);
    const double missing = double(ahead) - saved_;
    if (missing <= 0) return std::nullopt;
    return Denial{Excess::over_rate, *rate_, in_progress_, missing / *rate_ + rounding_s};
}

std::optional<Denial> Charge::take(const std::shared_ptr<Usage>& of, const std::vector<std::string_view>& sentences) {
    if (!of) return std::nullopt;
    std::int64_t extra = 0;
    for (const std::string_view sentence : sentences) extra += extra_of(sentence);
    if (const auto denial = of->take(std::int64_t(sentences.size()), extra, now())) return denial;
    of_ = of;
    sentences_ = std::int64_t(sentences.size());
    extra_ = extra;
    return std::nullopt;
}

Refusal refusal_of(const Denial& denial) {
    switch (denial.reason) {
        case Excess::over_concurrency: return Refusal::over_concurrency;
        case Excess::over_rate: return Refusal::over_rate;
        default: return Refusal::none;
    }
}

std::string filled_in(std::string text, const Denial& denial) {
    fill_in(text, "{limit}", denial.reason == Excess::over_rate ? "%g" : "%.0f", denial.limit);
    fill_in(text, "{in_progress}", "%.0f", double(denial.in_progress));
    const double after_s = double(nanoseconds(denial.after_s)) / 1e9;
    fill_in(text, "{retry_after_s}", "%.0f", std::ceil(after_s));
    fill_in(text, "{retry_after_ms}", "%.0f", std::ceil(after_s * 1000));
    return text;
}

Status filled_in(const Status& prepared, const Denial& denial) {
    Status status{prepared.code, filled_in(prepared.message, denial), ""};
    status.details = beginning(status);
    if (const std::string before = beginning(prepared); prepared.details.starts_with(before))
        status.details.append(prepared.details, before.size());
    append_bytes(status.details, 3, retry_info(denial.after_s));
    return status;
}

Response filled_in(const Response& prepared, const Denial& denial) {
    Response response{prepared.status, {}, filled_in(prepared.body, denial)};
    for (const auto& [name, value] : prepared.headers) response.headers.emplace_back(name, filled_in(value, denial));
    return response;
}

}  // namespace transport
