// Writes what a fast path has computed, sends it, and notes what Python is to count.
#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "shape.hpp"
#include "work.hpp"

namespace transport {
namespace {

std::size_t cut(std::span<const Reading> readings) {
    return std::size_t(std::count_if(readings.begin(), readings.end(), [](const Reading& each) { return each.is_truncated; }));
}

void count(std::span<const Reading> answered, Served& served) {
    for (const Reading& reading : answered) {
        served.counts.push_back(reading.tokens);
        served.truncated += reading.is_truncated;
    }
}

}  // namespace

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
    if (!answers.empty()) transport_.answer(std::move(answers));
    const double time = now();
    for (const auto& [call, request] : known)
        if (request.error)
            told.left.push_back({call.method, request.error->code, time - call.arrived});
        else
            told.seconds[call.method].push_back(time - call.arrived);
    served_.push_back(std::move(told));
}

/// Writes the responses of small requests, and what can be written of those of long ones.
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
        count(of_call, work.served);
    }
    if (!work.calls.empty()) {
        work.served.serialise_s = now() - began;
        const std::size_t bytes = std::accumulate(work.contents.begin(), work.contents.end(), std::size_t(0),
                                                  [](std::size_t sum, const std::string& each) { return sum + each.size(); });
        if (work.are_alike()) written_[std::size_t(work.requests[0].options.encoding)].note(double(bytes), work.served.serialise_s);
    }
    for (const Slice& slice : work.slices) {
        Job& job = *slice.job;
        const double put_at = now();
        const bool is_whole = !job.is_over && job.put(slice, numbers, dimension);
        const Options& options = job.request().options;
        written_[std::size_t(options.encoding)].note(double(slice.sentences() * most_written_bytes(options, dimension)), now() - put_at);
        if (is_whole && !job.is_over.exchange(true)) work.whole.push_back(slice.job);
        numbers += slice.sentences() * dimension;
    }
    work.served.tokens = work.tokens.size();
}

/// Answers small requests, and long ones of which all is written.
void FastPath::answer(Work& work) {
    const double began = now();
    Transport::Answers answers;
    std::span<const Reading> readings(work.tokens.readings());
    for (std::size_t call = 0; call < work.calls.size(); ++call) {
        const std::size_t sentences = work.requests[call].sentences.size();
        const double took_s = work_of(work, call);
        answers.push_back({work.calls[call].id, std::move(work.contents[call]), cut(readings.first(sentences)), took_s});
        readings = readings.subspan(sentences);
    }
    for (const auto& job : work.whole)
        answers.push_back({job->message.id, job->take_response(), cut(job->tokens().readings())});
    work.charges.clear();  // before its caller can come again
    const std::lock_guard lock(served_mutex_);
    const std::vector<bool> are_wanted = transport_.answer(std::move(answers));
    const double time = now();
    if (!work.calls.empty()) work.served.serialise_s += time - began;
    for (std::size_t call = 0; call < work.calls.size(); ++call) {
        const Taken& of = work.calls[call];
        const double seconds = time - of.arrived;
        if (of.is_in_stream) ++work.served.messages[of.method];  // the transport counts a stream, at its end
        else if (are_wanted[call]) work.served.seconds[of.method].push_back(seconds);
        else work.served.left.push_back({of.method, code_of_leaving(of.deadline, of.arrived, time), seconds});
    }
    served_.push_back(std::move(work.served));
    for (std::size_t place = 0; place < work.whole.size(); ++place) {
        if (!are_wanted[work.calls.size() + place]) continue;  // the transport has counted its end
        const Job& job = *work.whole[place];
        Served& served = served_.emplace_back();
        served.model = work.model;
        served.tokenise_s = job.tokenise_s();
        served.serialise_s = job.serialise_s();
        if (job.message.is_in_stream) ++served.messages[job.message.method];
        else served.seconds[job.message.method].push_back(time - job.message.arrived);
        count(job.tokens().readings(), served);
    }
}

std::vector<Served> FastPath::served() {
    const std::lock_guard lock(served_mutex_);
    return std::exchange(served_, {});
}

}  // namespace transport
