#include "fast_path.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "tokens.hpp"

namespace transport {
namespace {

constexpr double reports_s = 0.1;        // after which Python has a look at what was served
constexpr double looks_s = 0.005;        // after which one without a place sees whether there is one
constexpr double hands_over_s = 0.0001;  // a run of so long is worth another thread's look at the sockets

}  // namespace

/// The small requests of one batch; all lists are in their order.
struct FastPath::Work {
    std::vector<Taken> calls;
    std::vector<Request> requests;
    std::vector<std::pair<Taken, Request>> known;  // that hold nothing to embed
    Tokens tokens;  // of all sentences
    std::unique_ptr<float[]> rows;
    std::vector<Charge> charges;  // of each call
    std::vector<Denied> denied;
    Served served;
};

FastPath::FastPath(Transport& transport, Settings settings, const shared::Tokenizer& tokenizer,
                   const shared::Encoder& encoder)
    : transport_(transport),
      settings_(std::move(settings)),
      tokenizer_(tokenizer),
      encoder_(encoder),
      stops_(encoder.stops(encoder.of)) {
    for (const auto& [method, codec] : settings_.codecs)
        transport_.set_small(method, codec, settings_.most_bytes, settings_.most_sentences);
}

Report FastPath::take_messages(std::size_t most, double wait_s, double queue_s, std::size_t most_bytes,
                               std::uint64_t thread) {
    const double begins_at = now() + queue_s;
    double end = now() + wait_s;
    Report report;
    while (true) {
        const bool may_run = has_place();
        const Most at_once{most, most_bytes, may_run ? settings_.most_together : 0, settings_.most_bytes_together};
        const double left = std::min(end - now(), may_run ? wait_s : looks_s);
        report.batch = transport_.take_messages(at_once, std::max(0.0, left), begins_at);
        if (!report.batch) return report;
        const Batch& batch = *report.batch;
        if (!batch.messages.empty()) end = std::min(end, now() + reports_s);
        report.is_given_up = !serve(*report.batch, thread);
        transport_.pass_on(*report.batch);
        const bool has_news = !batch.messages.empty() || !batch.gone.empty() || batch.is_woken || report.is_given_up;
        if (has_news || now() >= end) return report;
    }
}

bool FastPath::has_place() {
    const std::lock_guard lock(mutex_);
    return runs_.size() < settings_.most_runs;
}

/// Answers what it can of `batch`, and leaves the rest in it. False where its run was given up meanwhile.
bool FastPath::serve(Batch& batch, std::uint64_t thread) {
    if (batch.messages.empty() || encoder_.stops(encoder_.of) != stops_) return true;
    Work work;
    std::vector<Taken> rest;
    const double began = now();
    for (Taken& message : batch.messages)
        if (!read(message, work)) rest.push_back(std::move(message));
    batch.messages = std::move(rest);
    if (!work.known.empty()) answer_known(work.known);
    if (!work.denied.empty()) transport_.deny(work.denied);
    if (work.calls.empty()) return true;
    work.served.tokenise_s = now() - began;
    bool is_given_up = false;
    if (compute(work, thread, is_given_up)) {
        answer(work);
    } else if (!is_given_up) {
        for (Charge& charge : work.charges) charge.undo();
        std::move(work.calls.begin(), work.calls.end(), std::back_inserter(batch.messages));
    }
    return !is_given_up;
}

/// Takes a message into `work`; false, and nothing is taken, where it isn't small and plain.
bool FastPath::read(Taken& message, Work& work) const {
    const auto codec = settings_.codecs.find(message.method);
    if (codec == settings_.codecs.end() || !message.is_plain || message.content.size() > settings_.most_bytes)
        return false;
    Request request;
    if (!codec->second->read(message.content, settings_.most_sentences, request)) return false;
    if (request.response && message.usage) return false;  // Python tells it of its limits
    Charge charge;
    if (const auto denial = charge.take(message.usage, request.sentences)) {
        const bool is_stream = transport_.settings().methods[message.method].is_stream;  // Python has it wait
        if (is_stream || refusal_of(*denial) == Refusal::none) return false;
        work.denied.push_back({std::move(message), *denial});
        return true;
    }
    if (request.error && message.is_http) return charge.undo(), false;
    if (request.error || request.response)
        return work.known.emplace_back(std::move(message), std::move(request)), true;
    const std::size_t before = work.tokens.sentences();
    for (const std::string_view sentence : request.sentences) {
        if (work.tokens.append(tokenizer_, sentence, request.options.truncation, settings_.most_tokens)) continue;
        work.tokens.cut(before);
        charge.undo();
        return false;
    }
    work.requests.push_back(std::move(request));
    work.charges.push_back(std::move(charge));
    work.calls.push_back(std::move(message));
    return true;
}

bool FastPath::compute(Work& work, std::uint64_t thread, bool& is_given_up) {
    const double began = now(), expected_s = token_s_.load(std::memory_order_relaxed) * double(work.tokens.size());
    if (expected_s > hands_over_s) transport_.hand_over_polling();
    std::map<std::size_t, std::vector<std::uint64_t>> messages;
    for (const Taken& call : work.calls) messages[call.method].push_back(call.id);
    {
        const std::lock_guard lock(mutex_);
        runs_[thread] = {began, std::move(messages), std::move(work.charges)};
    }
    work.rows.reset(new float[work.tokens.sentences() * encoder_.dimension]);
    const Tokens& tokens = work.tokens;
    const bool has_run = encoder_.run(encoder_.of, tokens.ids(), tokens.offsets(), tokens.sentences(), work.rows.get());
    {
        const std::lock_guard lock(mutex_);
        auto run = runs_.extract(thread);
        is_given_up = run.empty();
        if (run) work.charges = std::move(run.mapped().charges);
    }
    if (!has_run || is_given_up || encoder_.stops(encoder_.of) != stops_) return false;
    work.served.engine_s = now() - began;
    token_s_.store(work.served.engine_s / double(work.tokens.size()), std::memory_order_relaxed);
    for (std::size_t call = 0; call < work.calls.size(); ++call)
        work.served.waited_s.resize(work.served.waited_s.size() + work.requests[call].sentences.size(),
                                    began - work.calls[call].arrived);
    return true;
}

/// Answers requests whose codec has their answers.
void FastPath::answer_known(const std::vector<std::pair<Taken, Request>>& known) {
    Served told;
    Transport::Failures failures;
    Transport::Answers answers;
    for (const auto& [call, request] : known)
        if (request.error)
            failures.emplace_back(call.id, *request.error);
        else
            answers.push_back({call.id, *request.response});
    const std::lock_guard lock(served_mutex_);
    if (!failures.empty()) transport_.fail(failures);
    if (!answers.empty()) transport_.answer(answers);
    const double time = now();
    for (const auto& [call, request] : known)
        if (request.error)
            told.left.push_back({call.method, request.error->code, time - call.arrived});
        else
            told.seconds[call.method].push_back(time - call.arrived);
    served_.push_back(std::move(told));
}

void FastPath::answer(Work& work) {
    const double began = now();
    Served& served = work.served;
    std::vector<std::string> contents(work.calls.size());
    Transport::Answers answers;
    std::span<const Reading> readings(work.tokens.readings());
    const float* numbers = work.rows.get();
    for (std::size_t call = 0; call < work.calls.size(); ++call) {
        const Request& request = work.requests[call];
        const auto of_call = readings.first(request.sentences.size());
        const Codec& codec = *settings_.codecs.at(work.calls[call].method);
        codec.begin(request, contents[call]);
        for (std::size_t index = 0; index < of_call.size(); ++index, numbers += encoder_.dimension) {
            codec.append(request, {numbers, encoder_.dimension, index, of_call[index]}, contents[call]);
            served.counts.push_back(of_call[index].tokens);
            served.truncated += of_call[index].is_truncated;
        }
        codec.end(request, of_call, contents[call]);
        readings = readings.subspan(of_call.size());
        const auto cut = std::count_if(of_call.begin(), of_call.end(), [](const Reading& each) { return each.is_truncated; });
        answers.push_back({work.calls[call].id, contents[call], std::size_t(cut)});
    }
    served.tokens = work.tokens.size();
    work.charges.clear();  // before its caller can come again
    const std::lock_guard lock(served_mutex_);
    const std::vector<bool> are_wanted = transport_.answer(answers);
    const double time = now();
    served.serialise_s = time - began;
    for (std::size_t call = 0; call < work.calls.size(); ++call) {
        const Taken& of = work.calls[call];
        const double seconds = time - of.arrived;
        if (are_wanted[call]) served.seconds[of.method].push_back(seconds);
        else served.left.push_back({of.method, code_of_leaving(of.deadline, of.arrived, time), seconds});
    }
    served_.push_back(std::move(served));
}

std::vector<Served> FastPath::served() {
    const std::lock_guard lock(served_mutex_);
    return std::exchange(served_, {});
}

void FastPath::forgive(std::uint64_t thread, double seconds) {
    const std::lock_guard lock(mutex_);
    if (const auto run = runs_.find(thread); run != runs_.end())
        run->second.began = std::min(run->second.began + seconds, now());
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
        found.push_back({run->first, std::move(run->second.messages)});
        run = runs_.erase(run);
    }
    return found;
}

}  // namespace transport
