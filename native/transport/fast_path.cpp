// A run from the messages that are taken to their answers, and what Python is to count of it.
#include "fast_path.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "shape.hpp"
#include "tokens.hpp"

namespace transport {
namespace {

constexpr double reports_s = 0.1;        // after which one thread has Python look at what all have served
constexpr double returns_s = 0.5;        // after which each one returns: there may be another model
constexpr double looks_s = 0.005;        // after which one without a place sees whether there is one
constexpr double slice_s = 0.002;  // of a run, about, that holds slices of long requests: others wait for its end
constexpr double together_s = 2 * slice_s;  // of small ones that are computed together
constexpr std::size_t max_run_tokens = 1024, max_run_sentences = 64;  // of them, at the least

std::uint64_t next_number() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

std::size_t cut(std::span<const Reading> readings) {
    return std::size_t(
        std::count_if(readings.begin(), readings.end(), [](const Reading& each) { return each.is_truncated; }));
}

/// Counts sentences that a model has read, up to `max_tokens` tokens at once.
void count_tokens(std::span<const Reading> answered, std::size_t max_tokens, RunCounts& served) {
    for (const Reading& reading : answered) {
        served.counts.push_back(reading.tokens);
        served.truncated += reading.is_truncated;
        served.in_pieces += reading.tokens > max_tokens;
    }
}

}  // namespace

/// Content of one run, and its results: small requests, then slices of long ones, all for one model. All lists are in
/// the same order.
struct FastPath::Work {
    std::size_t model = 0;
    std::vector<TakenMessage> calls;
    std::vector<Request> requests;
    std::vector<std::size_t> tokens_of;  // of each call
    std::vector<std::pair<TakenMessage, Request>> known;  // that hold nothing to embed
    std::vector<Charge> charges;  // of each call
    std::vector<Denied> denied;
    std::vector<Slice> slices;
    Tokens tokens;  // of all sentences
    std::unique_ptr<float[]> rows;
    std::vector<std::string> contents;  // of the responses to calls
    std::vector<std::shared_ptr<Job>> whole;  // jobs whose last rows are written
    RunCounts served;

    void join(Run& run);

    /// Returns whether all calls want their rows in the same form.
    bool are_alike() const {
        return std::all_of(requests.begin(), requests.end(),
                           [&](const Request& each) { return each.options.encoding == requests[0].options.encoding; });
    }
};

/// Content of a batch by model. Most servers have one model, for which nothing is allocated.
struct FastPath::Works {
    explicit Works(std::size_t models) : others(models - 1) {
        for (std::size_t index = 0; index < others.size(); ++index) others[index].model = index + 1;
        for (Work& work : others) work.served.model = work.model;
    }

    Work& of(std::size_t model) { return model == 0 ? first : others[model - 1]; }

    Work first;
    std::vector<Work> others;
};

FastPath::FastPath(Transport& transport, Settings settings, std::vector<Reader> readers,
                   const std::vector<shared::Encoder>& encoders)
    : transport_(transport), settings_(std::move(settings)), readers_(std::move(readers)), number_(next_number()) {
    for (const shared::Encoder& encoder : encoders) models_.emplace_back(encoder);
    std::size_t max_numbers = 0;
    for (const Model& model : models_) max_numbers = std::max(max_numbers, model.encoder.dimension);
    for (const auto& [method, codec] : settings_.codecs)
        transport_.set_small(method, codec, settings_.max_bytes, settings_.max_sentences,
                             settings_.long_limits.sentences, max_written_bytes(codec->usual_options(), max_numbers));
}

Report FastPath::take_messages(std::size_t max_messages, double wait_s, std::size_t max_bytes, std::uint64_t thread,
                               bool may_answer) {
    double end = now() + wait_s, reports_at = never;
    Report report;
    while (true) {
        const bool has_place = runs_.count() < settings_.max_runs;
        const double left = std::min(std::min(end, reports_at) - now(), has_place ? wait_s : looks_s);
        report.batch = transport_.take_messages(at_once(max_messages, max_bytes, has_place), std::max(0.0, left));
        if (!report.batch) return report;
        const Batch& batch = *report.batch;
        if (!batch.messages.empty()) {
            end = std::min(end, now() + returns_s);
            reports_at = std::min(reports_at, now() + reports_s);
        }
        report.is_given_up = !serve(*report.batch, thread, may_answer);
        transport_.pass_on(*report.batch);
        const bool has_news = !batch.messages.empty() || !batch.gone.empty() || !batch.returned.empty() ||
                              batch.is_woken || report.is_given_up;
        if (has_news || now() >= end || (now() >= reports_at && is_to_report(reports_at))) return report;
    }
}

/// Returns whether the calling thread is to report what was served; else sets when it is to ask again.
bool FastPath::is_to_report(double& again_at) {
    const double time = now();
    double reported_at = reported_at_;
    if (time >= reported_at + reports_s && reported_at_.compare_exchange_strong(reported_at, time)) return true;
    again_at = reported_at_ + reports_s;
    return false;
}

/// Returns the limits of the next take: the caller's for messages to Python, and the fast path's settings for small
/// calls and slices; no small calls if no other model run may begin now (`may_run`).
TakeLimits FastPath::at_once(std::size_t max_messages, std::size_t max_bytes, bool may_run) const {
    const std::size_t max_tokens = std::max(max_run_tokens, settings_.max_bytes_together / token_bytes);
    const std::size_t max_sentences = std::max(max_run_sentences, settings_.max_together);
    return {.messages = max_messages,
            .bytes = max_bytes,
            .small = may_run ? settings_.max_together : 0,
            .small_bytes = settings_.max_bytes_together,
            .path = number_,
            .slices = {.usual_sentences = settings_.max_together,
                       .max_sentences = max_sentences,
                       .soon_s = slice_s,
                       .max_tokens = max_tokens},
            .soon_s = together_s,
            .runs = settings_.max_runs};
}

bool FastPath::submit(std::uint64_t id, Submission submission, double spent) {
    const Model& model = models_.at(submission.model);
    const Pace pace{model.token.of(1), 0, model.token.is_noted()};
    return transport_.submit(id, number_, std::move(submission), model.encoder.dimension, pace, spent);
}

/// Answers what it can of `batch`, and leaves the rest in it. Returns false if its run was given up meanwhile.
bool FastPath::serve(Batch& batch, std::uint64_t thread, bool may_answer) {
    const std::shared_ptr<Job> unread = std::move(batch.unread);
    Works works(models_.size());
    if (!batch.messages.empty() && may_answer) read(batch, works);
    add(batch.slices, works);
    Work* const only = &works.first;  // of most servers
    const std::vector<Work*> several = works.others.empty() ? std::vector<Work*>() : in_order(works);
    std::span<Work* const> left(several);
    if (works.others.empty()) left = {&only, std::size_t(only->tokens.sentences() > 0)};
    const bool is_whole = serve(left, batch, thread);
    if (unread) read_on(*unread, may_answer);
    return is_whole;
}

/// Computes one of `left` after the other, and answers each. Returns false if a run was given up, and the rest with it.
bool FastPath::serve(std::span<Work* const> left, Batch& batch, std::uint64_t thread) {
    for (; !left.empty(); left = left.subspan(1)) {
        Work& work = *left.front();
        bool is_given_up = false;
        if (compute(left, thread, is_given_up)) {
            write(work);
            answer(work, batch);
            continue;
        }
        if (is_given_up) return false;
        std::deque<Work> apart = set_apart(work, batch);
        if (apart.empty()) continue;
        std::vector<Work*> next;
        for (Work& each : apart) next.push_back(&each);
        next.insert(next.end(), left.begin() + 1, left.end());
        return serve(next, batch, thread);
    }
    return true;
}

/// Parses the messages of a batch, and leaves in it those for Python.
void FastPath::read(Batch& batch, Works& works) {
    std::vector<TakenMessage> rest;
    const double began = now();
    for (TakenMessage& message : batch.messages)
        if (!read(message, works)) rest.push_back(std::move(message));
    const std::size_t read = batch.messages.size();
    batch.messages = std::move(rest);
    const double took_s = now() - began;
    call_.note(double(read), took_s);
    std::size_t tokens = 0;
    for (std::size_t model = 0; model < models_.size(); ++model) tokens += works.of(model).tokens.size();
    for (std::size_t model = 0; model < models_.size(); ++model) {
        Work& work = works.of(model);
        if (!work.calls.empty()) work.served.tokenise_s = took_s * double(work.tokens.size()) / double(tokens);
        if (!work.known.empty()) answer_known(work.known);
        if (!work.denied.empty()) transport_.deny(work.denied);
    }
}

/// Adds a message to the work of its model; returns false, and adds nothing, if it isn't small and plain.
bool FastPath::read(TakenMessage& message, Works& works) const {
    const auto codec = settings_.codecs.find(message.method);
    if (codec == settings_.codecs.end() || !message.is_plain || message.content.size() > settings_.max_bytes)
        return false;
    Request request;
    if (!codec->second->read(message.content, settings_.max_sentences, request)) return false;
    request.arrived = message.arrived;
    if (!models_[request.model].is_trusted()) return false;
    Work& work = works.of(request.model);
    const Reader& reader = readers_[request.model];
    if (request.response && message.usage) return false;  // Python tells it of its limits
    Charge charge;
    if (const auto denial = charge.take(message.usage, request.sentences)) {
        if (message.is_in_stream || refusal_of(*denial) == Refusal::none) return false;  // Python has a stream's wait
        work.denied.push_back({std::move(message), *denial});
        return true;
    }
    if (request.error && message.is_http) return charge.undo(), false;
    if (request.error || request.response) return work.known.emplace_back(std::move(message), std::move(request)), true;
    const std::size_t before = work.tokens.sentences(), tokens_before = work.tokens.size();
    for (const std::string_view sentence : request.sentences) {
        if (work.tokens.append(reader.tokenizer, sentence, request.options.truncation, reader.max_tokens)) continue;
        work.tokens.cut(before);
        charge.undo();
        return false;
    }
    work.requests.push_back(std::move(request));
    work.tokens_of.push_back(work.tokens.size() - tokens_before);
    work.charges.push_back(std::move(charge));
    work.calls.push_back(std::move(message));
    return true;
}

/// Answers requests for which the codec has a ready answer.
void FastPath::answer_known(const std::vector<std::pair<TakenMessage, Request>>& known) {
    RunCounts told;
    Transport::Failures failures;
    Transport::Answers answers;
    for (const auto& [call, request] : known)
        if (request.error) failures.emplace_back(call.id, *request.error);
        else answers.push_back({call.id, *request.response});
    const double time = now();
    for (const auto& [call, request] : known)
        if (request.error) told.unanswered.push_back({call.method, request.error->code, time - call.arrived});
        else told.seconds[call.method].push_back(time - call.arrived);
    note(std::move(told));  // before callers have their answers
    if (!failures.empty()) transport_.fail(failures);
    if (!answers.empty()) transport_.answer(answers);
}

/// Adds slices to the work, unless nobody waits for them any more.
void FastPath::add(std::vector<Slice>& slices, Works& works) const {
    for (Slice& slice : slices) {
        if (slice.job->is_over) continue;
        Work& work = works.of(slice.job->request().model);
        work.tokens.append(slice.job->tokens(), slice.from, slice.to);
        work.slices.push_back(std::move(slice));
    }
}

/// Returns the work by model, the shortest first, since it then waits for no other.
std::vector<FastPath::Work*> FastPath::in_order(Works& works) const {
    std::vector<Work*> found;
    for (std::size_t model = 0; model < models_.size(); ++model)
        if (works.of(model).tokens.sentences() > 0) found.push_back(&works.of(model));
    const auto time = [this](const Work* work) { return models_[work->model].token.of(double(work->tokens.size())); };
    std::stable_sort(found.begin(), found.end(),
                     [&](const Work* one, const Work* other) { return time(one) < time(other); });
    return found;
}

/// Runs the first of `works`. The others wait for it, and are given up with it.
bool FastPath::compute(std::span<Work* const> works, std::uint64_t thread, bool& is_given_up) {
    Work& work = *works.front();
    Model& model = models_[work.model];
    const Tokens& tokens = work.tokens;
    const double began = now();
    Run run{began, work.model, {}, {}, {}, {}};
    for (Work* const each : works) each->join(run);
    runs_.begin(thread, std::move(run));
    work.rows.reset(new float[tokens.pieces() * model.encoder.dimension]);
    double helped_s = 0;
    const bool has_run = model.is_trusted() && model.encoder.run(model.encoder.of, tokens.ids(), tokens.offsets(),
                                                                 tokens.pieces(), work.rows.get(), helped_s);
    auto ended = runs_.end(thread);
    is_given_up = !ended;
    if (ended) {
        auto charge = ended->charges.begin();
        for (Work* const each : works)
            for (Charge& of : each->charges) of = std::move(*charge++);
    }
    if (!has_run || is_given_up || !model.is_trusted()) return false;
    work.served.engine_s = now() - began;
    model.token.note(double(tokens.size()), work.served.engine_s + helped_s);
    tokens.join_rows(work.rows.get(), model.encoder.dimension);
    for (std::size_t call = 0; call < work.calls.size(); ++call)
        work.served.waited_s.resize(work.served.waited_s.size() + work.requests[call].sentences.size(),
                                    began - work.calls[call].arrived);
    for (const Slice& slice : work.slices)
        work.served.waited_s.resize(work.served.waited_s.size() + slice.sentences(),
                                    began - slice.job->message.arrived);
    return true;
}

/// Adds the calls of this work to a run.
void FastPath::Work::join(Run& run) {
    for (std::size_t index = 0; index < calls.size(); ++index) {
        const TakenMessage& call = calls[index];
        if (call.is_in_stream)
            run.in_streams.push_back({call.id, call.method, model, requests[index].sentences.size()});
        else run.messages[call.method].push_back(call.id);
    }
    for (const Slice& slice : slices) run.jobs.push_back(slice.job);
    std::move(charges.begin(), charges.end(), std::back_inserter(run.charges));
}

/// Writes the responses of small requests, and the finished parts of long ones.
void FastPath::write(Work& work) {
    const double began = now();
    std::span<const Reading> readings(work.tokens.readings());
    const float* numbers = work.rows.get();
    const std::size_t dimension = models_[work.model].encoder.dimension;
    for (std::size_t call = 0; call < work.calls.size(); ++call) {
        const Request& request = work.requests[call];
        std::string& content = work.contents.emplace_back();
        const auto of_call = readings.first(request.sentences.size());
        const Codec& codec = *settings_.codecs.at(work.calls[call].method);
        codec.begin(request, content);
        for (std::size_t index = 0; index < of_call.size(); ++index, numbers += dimension)
            codec.append(request, {numbers, dimension, index, of_call[index]}, content);
        codec.end(request, of_call, content);
        readings = readings.subspan(of_call.size());
        count_tokens(of_call, readers_[work.model].max_tokens, work.served);
    }
    if (!work.calls.empty()) {
        work.served.serialise_s = now() - began;
        const std::size_t bytes =
            std::accumulate(work.contents.begin(), work.contents.end(), std::size_t(0),
                            [](std::size_t sum, const std::string& each) { return sum + each.size(); });
        if (work.are_alike())
            written_[std::size_t(work.requests[0].options.encoding)].note(double(bytes), work.served.serialise_s);
    }
    for (const Slice& slice : work.slices) {
        Job& job = *slice.job;
        const double put_at = now();
        const bool is_whole = !job.is_over && job.put(slice, numbers, dimension, work.served.engine_s);
        const Options& options = job.request().options;
        if (!job.is_submitted())
            written_[std::size_t(options.encoding)].note(
                double(slice.sentences() * max_written_bytes(options, dimension)), now() - put_at);
        if (is_whole && !job.is_over.exchange(true)) work.whole.push_back(slice.job);
        numbers += slice.sentences() * dimension;
    }
    work.served.tokens = work.tokens.size();
}

/// Answers small requests, and long ones that are completely written; gives submissions back whose rows are all there.
void FastPath::answer(Work& work, Batch& batch) {
    const double began = now();
    Transport::Answers answers;
    std::span<const Reading> readings(work.tokens.readings());
    for (std::size_t call = 0; call < work.calls.size(); ++call) {
        const std::size_t sentences = work.requests[call].sentences.size();
        const double took_s = work_of(work, call);
        answers.push_back(
            {work.calls[call].id, std::move(work.contents[call]), cut(readings.first(sentences)), took_s});
        readings = readings.subspan(sentences);
    }
    for (const auto& job : std::exchange(work.whole, {})) {
        if (job->is_submitted()) {
            give_back(job, Outcome::done, batch);
            continue;
        }
        answers.push_back({job->message.id, job->take_response(), cut(job->tokens().readings())});
        work.whole.push_back(job);
    }
    work.charges.clear();  // before its caller can come again
    if (!work.calls.empty()) work.served.serialise_s += now() - began;
    if (answers.empty()) return note(std::move(work.served));
    transport_.answer(answers, [&](const std::vector<std::size_t>& indices) { count(work, answers, indices); });
}

/// Counts answers that are about to be sent; with the first of them, the run.
void FastPath::count(Work& work, const Transport::Answers& answers, const std::vector<std::size_t>& indices) {
    const double time = now();
    RunCounts served = std::exchange(work.served, {});
    served.model = work.model;
    for (const std::size_t index : indices) {
        const bool is_wanted = answers[index].is_wanted;
        if (index >= work.calls.size()) {
            if (is_wanted) note(counts_of(*work.whole[index - work.calls.size()], time));
            continue;  // else the transport has counted its end
        }
        const TakenMessage& of = work.calls[index];
        const double seconds = time - of.arrived;
        if (of.is_in_stream) ++served.messages[of.method];  // the transport counts a stream, at its end
        else if (is_wanted) served.seconds[of.method].push_back(seconds);
        else served.unanswered.push_back({of.method, code_of_leaving(of.deadline, of.arrived, time), seconds});
    }
    note(std::move(served));
}

/// Returns what is to be counted of a long request that is answered at `time`.
RunCounts FastPath::counts_of(const Job& job, double time) const {
    RunCounts served;
    served.model = job.request().model;
    served.tokenise_s = job.tokenise_s();
    served.serialise_s = job.serialise_s();
    if (job.message.is_in_stream) ++served.messages[job.message.method];
    else served.seconds[job.message.method].push_back(time - job.message.arrived);
    count_tokens(job.tokens().readings(), readers_[served.model].max_tokens, served);
    return served;
}

void FastPath::note(RunCounts served) {
    const std::lock_guard lock(served_mutex_);
    served_.push_back(std::move(served));
}

/// Returns the cost of a small request, in seconds of a core.
double FastPath::work_of(const Work& work, std::size_t call) const {
    const Request& request = work.requests[call];
    return call_.of(1) + models_[work.model].token.of(double(work.tokens_of[call])) +
           written_[std::size_t(request.options.encoding)].of(double(work.contents[call].size()));
}

/// Leaves the calls of a failed run to Python: small requests in `batch`, long ones in Python's line. Returns its
/// submissions, each to be computed on its own, since another may be to blame; one that was alone has failed.
std::deque<FastPath::Work> FastPath::set_apart(Work& work, Batch& batch) {
    for (Charge& charge : work.charges) charge.undo();
    std::move(work.calls.begin(), work.calls.end(), std::back_inserter(batch.messages));
    const bool is_one = work.calls.empty() && work.slices.size() == 1;
    const bool may_help = !is_one && models_[work.model].is_trusted();
    std::deque<Work> apart;
    for (Slice& slice : work.slices) {
        if (!slice.job->is_submitted()) {
            transport_.leave_to_python(*slice.job);
        } else if (may_help) {
            Work& alone = apart.emplace_back();
            alone.model = work.model;
            alone.tokens.append(slice.job->tokens(), slice.from, slice.to);
            alone.slices.push_back(std::move(slice));
        } else if (!slice.job->is_over.exchange(true)) {
            give_back(slice.job, Outcome::failed, batch);
        }
    }
    return apart;
}

/// Has whoever has submitted a job get its outcome, unless the caller has left.
void FastPath::give_back(const std::shared_ptr<Job>& job, Outcome outcome, Batch& batch) {
    if (transport_.end_submission(*job)) batch.returned.push_back({job, outcome});
}

/// Parses another part of a long request, which then waits in line again: to be parsed further, or computed in slices.
void FastPath::read_on(Job& job, bool may_answer) {
    const double began = now();
    const auto codec = settings_.codecs.find(job.message.method);
    auto found = Job::Read::declined;
    if (may_answer && codec != settings_.codecs.end() && job.message.is_plain)
        found = job.read(codec->second, readers_, settings_.long_limits);
    const Model& model = models_[job.request().model];
    if (found == Job::Read::declined || !model.is_trusted()) return transport_.leave_to_python(job);
    const std::size_t dimension = model.encoder.dimension;
    job.set_pace(pace_of(job.request()));
    transport_.put_back(job, found == Job::Read::whole, job.bytes(dimension), job.response_bytes(dimension),
                        now() - began);
}

/// Returns the cost of the sentences of a request.
Pace FastPath::pace_of(const Request& request) const {
    const std::size_t bytes = max_written_bytes(request.options, models_[request.model].encoder.dimension);
    const Price& token = models_[request.model].token;
    return {token.of(1), written_[std::size_t(request.options.encoding)].of(double(bytes)), token.is_noted()};
}

std::vector<RunCounts> FastPath::served() {
    const std::lock_guard lock(served_mutex_);
    return std::exchange(served_, {});
}

}  // namespace transport
