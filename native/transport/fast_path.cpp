#include "fast_path.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "embed.hpp"

namespace transport {
namespace {

constexpr double reports_s = 0.1;    // after which Python has a look at what was served
constexpr double hands_over_s = 0.0001;  // a run of so long is worth another thread's look at the sockets

}  // namespace

/// The small requests of one batch; all lists are in their order.
struct FastPath::Work {
    std::vector<Taken> calls;
    std::vector<std::size_t> ends;  // of each call's sentences
    std::vector<std::uint32_t> ids;
    std::vector<std::int64_t> offsets{0};
    std::vector<bool> truncated;
    std::unique_ptr<float[]> rows;
    Served served;

    std::size_t sentences() const { return truncated.size(); }
};

FastPath::FastPath(Transport& transport, Settings settings, const shared::Tokenizer& tokenizer, const shared::Encoder& encoder)
    : transport_(transport), settings_(std::move(settings)), tokenizer_(tokenizer), encoder_(encoder), stops_(encoder.stops(encoder.of)) {
    transport_.set_small(settings_.method, settings_.most_bytes, settings_.most_sentences);
}

Report FastPath::take_messages(std::size_t most, double wait_s, double queue_s, std::size_t most_bytes, std::uint64_t thread) {
    const double begins_at = now() + queue_s;
    double end = now() + wait_s;
    Report report;
    while (true) {
        const Most at_once{most, most_bytes, settings_.most_together, settings_.most_bytes_together};
        report.batch = transport_.take_messages(at_once, std::max(0.0, end - now()), begins_at);
        if (!report.batch) return report;
        const Batch& batch = *report.batch;
        if (!batch.messages.empty()) end = std::min(end, now() + reports_s);
        report.is_given_up = !serve(*report.batch, thread);
        const bool has_news = !batch.messages.empty() || !batch.gone.empty() || batch.is_woken || report.is_given_up;
        if (has_news || now() >= end) return report;
    }
}

/// Answers what it can of `batch`, and leaves the rest in it. False where its run was given up meanwhile.
bool FastPath::serve(Batch& batch, std::uint64_t thread) {
    if (batch.messages.empty() || encoder_.stops(encoder_.of) != stops_) return true;
    Work work;
    std::vector<Taken> rest;
    const double began = now();
    for (Taken& message : batch.messages) (read(message, work) ? work.calls : rest).push_back(std::move(message));
    batch.messages = std::move(rest);
    if (work.calls.empty()) return true;
    work.served.tokenise_s = now() - began;
    bool is_given_up = false;
    if (compute(work, thread, is_given_up)) {
        answer(work);
    } else if (!is_given_up) {
        std::move(work.calls.begin(), work.calls.end(), std::back_inserter(batch.messages));
    }
    return !is_given_up;
}

/// Adds a message's sentences to `work`; false, and nothing is added, where it isn't small and plain.
bool FastPath::read(const Taken& message, Work& work) const {
    if (message.method != settings_.method || !message.is_plain || message.content.size() > settings_.most_bytes) return false;
    const std::size_t sentences = work.sentences(), ids = work.ids.size();
    const auto found = sentences_of(message.content, settings_.most_sentences);
    bool is_plain = !found.empty();
    for (const std::string_view sentence : found) {
        const std::size_t before = work.ids.size();
        is_plain = tokenizer_.encode(tokenizer_.of, sentence, settings_.most_tokens, work.ids) && work.ids.size() > before;
        if (!is_plain) break;
        work.truncated.push_back(work.ids.size() - before > settings_.most_tokens);
        work.ids.resize(std::min(work.ids.size(), before + settings_.most_tokens));
        work.offsets.push_back(std::int64_t(work.ids.size()));
    }
    if (!is_plain) {
        work.truncated.resize(sentences);
        work.offsets.resize(sentences + 1);
        work.ids.resize(ids);
        return false;
    }
    work.ends.push_back(work.sentences());
    return true;
}

bool FastPath::compute(Work& work, std::uint64_t thread, bool& is_given_up) {
    const double began = now(), expected_s = token_s_.load(std::memory_order_relaxed) * double(work.ids.size());
    if (expected_s > hands_over_s) transport_.hand_over_polling();
    std::vector<std::uint64_t> ids;
    for (const Taken& call : work.calls) ids.push_back(call.id);
    {
        const std::lock_guard lock(mutex_);
        runs_[thread] = {began, std::move(ids)};
    }
    work.rows.reset(new float[work.sentences() * encoder_.dimension]);
    const auto* const token_ids = reinterpret_cast<const std::int32_t*>(work.ids.data());
    const bool has_run = encoder_.run(encoder_.of, token_ids, work.offsets.data(), work.sentences(), work.rows.get());
    {
        const std::lock_guard lock(mutex_);
        is_given_up = runs_.erase(thread) == 0;
    }
    if (!has_run || is_given_up || encoder_.stops(encoder_.of) != stops_) return false;
    work.served.engine_s = now() - began;
    token_s_.store(work.served.engine_s / double(work.ids.size()), std::memory_order_relaxed);
    for (std::size_t call = 0, sentence = 0; call < work.calls.size(); ++call)
        for (; sentence < work.ends[call]; ++sentence) work.served.waited_s.push_back(began - work.calls[call].arrived);
    return true;
}

void FastPath::answer(Work& work) {
    const double began = now();
    Served& served = work.served;
    std::vector<std::string> contents(work.calls.size());
    Transport::Answers answers;
    for (std::size_t call = 0, sentence = 0; call < work.calls.size(); ++call) {
        for (; sentence < work.ends[call]; ++sentence) {
            const std::size_t tokens = std::size_t(work.offsets[sentence + 1] - work.offsets[sentence]);
            const float* const numbers = work.rows.get() + sentence * encoder_.dimension;
            append_embedding(contents[call], {numbers, encoder_.dimension, tokens, work.truncated[sentence]});
            served.counts.push_back(tokens);
            served.truncated += work.truncated[sentence];
        }
        append_version(contents[call], settings_.version);
        answers.emplace_back(work.calls[call].id, contents[call]);
    }
    served.tokens = work.ids.size();
    const std::lock_guard lock(served_mutex_);
    const std::vector<bool> are_wanted = transport_.answer(answers);
    const double time = now();
    served.serialise_s = time - began;
    for (std::size_t call = 0; call < work.calls.size(); ++call) {
        const double seconds = time - work.calls[call].arrived;
        if (are_wanted[call]) served.seconds.push_back(seconds);
        else served.left.emplace_back(code_of_leaving(work.calls[call].deadline, work.calls[call].arrived, time), seconds);
    }
    served_.push_back(std::move(served));
}

std::vector<Served> FastPath::served() {
    const std::lock_guard lock(served_mutex_);
    return std::exchange(served_, {});
}

void FastPath::forgive(std::uint64_t thread, double seconds) {
    const std::lock_guard lock(mutex_);
    if (const auto run = runs_.find(thread); run != runs_.end()) run->second.began = std::min(run->second.began + seconds, now());
}

std::vector<Overdue> FastPath::overdue(double seconds) {
    std::vector<Overdue> found;
    const double latest = now() - seconds;
    const std::lock_guard lock(mutex_);
    for (auto run = runs_.begin(); run != runs_.end();) {
        if (run->second.began > latest) {
            ++run;
            continue;
        }
        found.push_back({run->first, std::move(run->second.ids)});
        run = runs_.erase(run);
    }
    return found;
}

}  // namespace transport
