#include "fast_path.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "work.hpp"

namespace transport {
namespace {

constexpr double reports_s = 0.1;        // after which Python has a look at what was served
constexpr double looks_s = 0.005;        // after which one without a place sees whether there is one
constexpr double hands_over_s = 0.0001;  // a run of so long is worth another thread's look at the sockets
constexpr double slice_s = 0.002;        // of a run, about, that holds slices of long requests: others wait for its end
constexpr std::size_t most_run_tokens = 1024, most_run_sentences = 64;  // of them, at the least

std::uint64_t next_number() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

}  // namespace

FastPath::FastPath(Transport& transport, Settings settings, const shared::Tokenizer& tokenizer,
                   const shared::Encoder& encoder)
    : transport_(transport),
      settings_(std::move(settings)),
      tokenizer_(tokenizer),
      encoder_(encoder),
      stops_(encoder.stops(encoder.of)),
      number_(next_number()) {
    for (const auto& [method, codec] : settings_.codecs)
        transport_.set_small(method, codec, settings_.most_bytes, settings_.most_sentences,
                             settings_.long_limits.sentences);
}

Report FastPath::take_messages(std::size_t most, double wait_s, double queue_s, std::size_t most_bytes,
                               std::uint64_t thread) {
    const double begins_at = now() + queue_s;
    double end = now() + wait_s;
    Report report;
    while (true) {
        const bool may_run = runs_.count() < settings_.most_runs;
        const double left = std::min(end - now(), may_run ? wait_s : looks_s);
        report.batch = transport_.take_messages(at_once(most, most_bytes, may_run), std::max(0.0, left), begins_at);
        if (!report.batch) return report;
        const Batch& batch = *report.batch;
        if (!batch.messages.empty()) end = std::min(end, now() + reports_s);
        report.is_given_up = !serve(*report.batch, thread);
        transport_.pass_on(*report.batch);
        const bool has_news = !batch.messages.empty() || !batch.gone.empty() || batch.is_woken || report.is_given_up;
        if (has_news || now() >= end) return report;
    }
}

/// Returns how much is computed at once, by how fast that was lately.
Most FastPath::at_once(std::size_t most, std::size_t most_bytes, bool may_run) const {
    const double token_s = token_s_.load(std::memory_order_relaxed);
    const std::size_t most_tokens = std::max(most_run_tokens, settings_.most_bytes_together / token_bytes);
    const double soon = token_s > 0 ? std::min(slice_s / token_s, double(most_tokens)) : 0;
    const std::size_t most_sentences = std::max(most_run_sentences, settings_.most_together);
    const SliceLimits slices{settings_.most_together, most_sentences, std::size_t(soon), most_tokens};
    const std::size_t together = may_run ? settings_.most_together : 0;
    return {most, most_bytes, together, settings_.most_bytes_together, true, number_, slices};
}

/// Answers what it can of `batch`, and leaves the rest in it. False where its run was given up meanwhile.
bool FastPath::serve(Batch& batch, std::uint64_t thread) {
    const std::shared_ptr<Job> unread = std::move(batch.unread);
    const bool is_trusted = encoder_.stops(encoder_.of) == stops_;
    bool is_given_up = false;
    Work work;
    if (is_trusted && !batch.messages.empty()) {
        std::vector<Taken> rest;
        const double began = now();
        for (Taken& message : batch.messages)
            if (!read(message, work)) rest.push_back(std::move(message));
        batch.messages = std::move(rest);
        if (!work.calls.empty()) work.served.tokenise_s = now() - began;
        if (!work.known.empty()) answer_known(work.known);
        if (!work.denied.empty()) transport_.deny(work.denied);
    }
    add(batch.slices, work);
    if (work.tokens.sentences() > 0) {
        if (is_trusted && compute(work, thread, is_given_up)) {
            write(work);
            answer(work);
        } else if (!is_given_up) {
            leave_to_python(work, batch);
        }
    }
    if (unread) read_on(*unread);
    return !is_given_up;
}

/// Adds slices to a run, unless nobody waits for them any more.
void FastPath::add(std::vector<Slice>& slices, Work& work) const {
    for (Slice& slice : slices) {
        if (slice.job->is_over) continue;
        work.tokens.append(slice.job->tokens(), slice.from, slice.to);
        work.slices.push_back(std::move(slice));
    }
}

/// Reads some more of a long request, which then stands in line again: to be read on, or computed in slices.
void FastPath::read_on(Job& job) {
    const auto codec = settings_.codecs.find(job.message.method);
    auto found = Job::Read::declined;
    if (codec != settings_.codecs.end() && job.message.is_plain && encoder_.stops(encoder_.of) == stops_)
        found = job.read(codec->second, tokenizer_, settings_.long_limits);
    if (found == Job::Read::declined) return transport_.leave_to_python(job);
    transport_.put_back(job, found == Job::Read::whole, job.bytes(encoder_.dimension));
}

/// Leaves a run that failed to Python: small requests in `batch`, long ones in the line for that.
void FastPath::leave_to_python(Work& work, Batch& batch) {
    for (Charge& charge : work.charges) charge.undo();
    std::move(work.calls.begin(), work.calls.end(), std::back_inserter(batch.messages));
    for (const Slice& slice : work.slices) transport_.leave_to_python(*slice.job);
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
        if (message.is_in_stream || refusal_of(*denial) == Refusal::none) return false;  // Python has a stream's wait
        work.denied.push_back({std::move(message), *denial});
        return true;
    }
    if (request.error && message.is_http) return charge.undo(), false;
    if (request.error || request.response)
        return work.known.emplace_back(std::move(message), std::move(request)), true;
    const std::size_t before = work.tokens.sentences();
    for (const std::string_view sentence : request.sentences) {
        if (work.tokens.append(tokenizer_, sentence, request.options.truncation, settings_.long_limits.sentence_tokens)) continue;
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
    Run run{began, {}, {}, {}, std::move(work.charges)};
    for (std::size_t place = 0; place < work.calls.size(); ++place) {
        const Taken& call = work.calls[place];
        if (call.is_in_stream) run.in_streams.push_back({call.id, call.method, work.requests[place].sentences.size()});
        else run.messages[call.method].push_back(call.id);
    }
    for (const Slice& slice : work.slices) run.jobs.push_back(slice.job);
    runs_.begin(thread, std::move(run));
    work.rows.reset(new float[work.tokens.sentences() * encoder_.dimension]);
    const Tokens& tokens = work.tokens;
    const bool has_run = encoder_.run(encoder_.of, tokens.ids(), tokens.offsets(), tokens.sentences(), work.rows.get());
    auto ended = runs_.end(thread);
    is_given_up = !ended;
    if (ended) work.charges = std::move(ended->charges);
    if (!has_run || is_given_up || encoder_.stops(encoder_.of) != stops_) return false;
    work.served.engine_s = now() - began;
    token_s_.store(work.served.engine_s / double(work.tokens.size()), std::memory_order_relaxed);
    for (std::size_t call = 0; call < work.calls.size(); ++call)
        work.served.waited_s.resize(work.served.waited_s.size() + work.requests[call].sentences.size(),
                                    began - work.calls[call].arrived);
    for (const Slice& slice : work.slices)
        work.served.waited_s.resize(work.served.waited_s.size() + slice.sentences(), began - slice.job->message.arrived);
    return true;
}

}  // namespace transport
