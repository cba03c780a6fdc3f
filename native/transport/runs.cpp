#include "runs.hpp"

#include <algorithm>
#include <utility>

#include "clock.hpp"

namespace transport {

void Runs::begin(std::uint64_t thread, Run run) {
    const std::lock_guard lock(mutex_);
    runs_[thread] = std::move(run);
}

std::optional<Run> Runs::end(std::uint64_t thread) {
    const std::lock_guard lock(mutex_);
    auto run = runs_.extract(thread);
    return run ? std::optional(std::move(run.mapped())) : std::nullopt;
}

std::size_t Runs::count() {
    const std::lock_guard lock(mutex_);
    return runs_.size();
}

void Runs::forgive(std::uint64_t thread, double seconds) {
    const std::lock_guard lock(mutex_);
    if (const auto run = runs_.find(thread); run != runs_.end())
        run->second.began = std::min(run->second.began + seconds, now());
}

std::vector<Overdue> Runs::overdue(double seconds) {
    std::vector<Overdue> found;
    const double latest = now() - seconds;
    const std::lock_guard lock(mutex_);
    for (auto run = runs_.begin(); run != runs_.end();) {
        if (run->second.began > latest) {
            ++run;
            continue;
        }
        Run& of = run->second;
        Overdue& given_up =
            found.emplace_back(Overdue{run->first, of.model, std::move(of.messages), {}, std::move(of.in_streams), {}});
        for (const auto& job : of.jobs) {
            if (job->is_over.exchange(true)) continue;
            const TakenMessage& message = job->message;
            if (job->is_submitted()) given_up.submitted.push_back(message.id);
            else if (message.is_in_stream)
                given_up.in_streams.push_back(
                    {message.id, message.method, job->request().model, job->request().sentences.size()});
            else given_up.long_messages.push_back(message.id);
        }
        run = runs_.erase(run);
    }
    return found;
}

}  // namespace transport
