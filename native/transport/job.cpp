#include "job.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "clock.hpp"
#include "grpc.hpp"
#include "shape.hpp"

namespace transport {
namespace {
constexpr std::size_t read_bytes = 32 << 10;  // of text that are read at once: about a millisecond's
constexpr std::size_t max_end = 1 << 10;  // bytes behind a response's rows, about
constexpr std::size_t sentence_overhead = sizeof(std::string_view) + sizeof(std::size_t) + sizeof(Reading);
}  // namespace

Job::Job(std::uint64_t of_path, TakenMessage taken, Submission submission, std::size_t dimension)
    : path(of_path),
      message(std::move(taken)),
      tokens_(std::move(submission.tokens)),
      is_whole_(true),
      is_submitted_(true),
      deadline_(submission.deadline),
      rows_(new float[tokens_.sentences() * dimension]) {
    request_.model = submission.model;
}

Job::Read Job::read(const std::shared_ptr<const Codec>& codec, std::span<const Reader> readers,
                    const LongLimits& limits) {
    const double began = now();
    if (!codec_) {
        codec_ = codec;
        if (!inflate() || !codec_->read(content(), limits.sentences, request_) || request_.sentences.empty())
            return Read::declined;
        request_.arrived = message.arrived;
    }
    const Read found = tokenise(readers[request_.model], limits);
    tokenise_s_ += now() - began;
    return found;
}

/// Inflates a compressed body, and keeps the original for others that may have to read it; returns false if it isn't
/// gzip.
bool Job::inflate() {
    if (!message.is_compressed) return true;
    auto inflated = gunzip(message.content, message.inflated_size);
    if (inflated) inflated_ = std::move(*inflated);
    return inflated.has_value();
}

Job::Read Job::tokenise(const Reader& reader, const LongLimits& limits) {
    std::size_t bytes = 0;
    for (std::size_t index = tokens_.sentences(); index < request_.sentences.size(); ++index) {
        const std::string_view sentence = request_.sentences[index];
        if (bytes > 0 && bytes + sentence.size() > read_bytes) return Read::more;
        bytes += sentence.size() + 1;
        if (sentence.size() > limits.sentence_bytes) return Read::declined;
        if (!tokens_.append(reader.tokenizer, sentence, request_.options.truncation, reader.max_tokens))
            return Read::declined;
        if (tokens_.size() > limits.tokens) return Read::declined;
    }
    return Read::whole;
}

std::size_t Job::bytes(std::size_t dimension) const {
    const std::size_t sentences = tokens_.sentences();
    // A row waits as the encoder's, or is written.
    const std::size_t row = std::max(dimension * sizeof(float), max_written_bytes(request_.options, dimension));
    return message.content.size() + inflated_.size() + request_.kept_bytes + tokens_.size() * sizeof(std::uint32_t) +
           tokens_.pieces() * sizeof(std::int64_t) + sentences * (sentence_overhead + row);
}

double Job::max_work_at_once() const {
    std::size_t most = 0;
    for (const Reading& reading : tokens_.readings()) most = std::max(most, reading.tokens);
    return double(most) * pace_.token_s + pace_.row_s;
}

std::size_t Job::response_bytes(std::size_t dimension) const {
    return request_.sentences.size() * max_written_bytes(request_.options, dimension) + max_end;
}

Slice Job::cut(const std::shared_ptr<Job>& job, const SliceLimits& limits) {
    Slice slice{.job = job, .from = job->next_, .to = job->next_};
    const auto& readings = job->tokens_.readings();
    std::size_t tokens = 0;
    for (; slice.to < readings.size() && slice.sentences() < limits.max_sentences; ++slice.to) {
        tokens += readings[slice.to].tokens;
        const double work = slice.work + double(readings[slice.to].tokens) * job->pace_.token_s + job->pace_.row_s;
        const bool is_soon = job->pace_.is_known && work <= limits.soon_s;
        const bool fits = tokens <= limits.max_tokens && (slice.sentences() < limits.usual_sentences || is_soon);
        if (!fits && slice.to > slice.from) break;
        slice.work = work;
        slice.bytes +=
            job->is_submitted() ? token_bytes * readings[slice.to].tokens : job->request_.sentences[slice.to].size();
    }
    job->next_ = slice.to;
    return slice;
}

bool Job::put(const Slice& slice, const float* rows, std::size_t dimension, double engine_s) {
    const std::lock_guard lock(mutex_);
    engine_s_ += engine_s;
    if (is_submitted_) {
        std::memcpy(&rows_[slice.from * dimension], rows, slice.sentences() * dimension * sizeof(float));
        written_ += slice.sentences();
        return written_ == tokens_.sentences();
    }
    const double began = now();
    const bool is_whole = put_in_order(slice, rows, dimension);
    serialise_s_ += now() - began;
    return is_whole;
}

bool Job::put_in_order(const Slice& slice, const float* rows, std::size_t dimension) {
    if (slice.from != written_) {
        Rows kept{slice.sentences(), std::unique_ptr<float[]>(new float[slice.sentences() * dimension])};
        std::memcpy(kept.numbers.get(), rows, slice.sentences() * dimension * sizeof(float));
        waiting_.emplace(slice.from, std::move(kept));
        return false;
    }
    if (written_ == 0) codec_->begin(request_, response_);
    write(slice.from, rows, slice.sentences(), dimension);
    for (auto next = waiting_.begin(); next != waiting_.end() && next->first == written_; next = waiting_.erase(next))
        write(next->first, next->second.numbers.get(), next->second.sentences, dimension);
    if (written_ < request_.sentences.size()) return false;
    codec_->end(request_, tokens_.readings(), response_);
    return true;
}

void Job::write(std::size_t from, const float* rows, std::size_t sentences, std::size_t dimension) {
    const std::size_t before = response_.size();
    for (std::size_t index = from; index < from + sentences; ++index, rows += dimension) {
        codec_->append(request_, {rows, dimension, index, tokens_.readings()[index]}, response_);
        const std::size_t added = response_.size() - before;  // nothing, where all rows have their room by now
        if (index > 0 || added == 0) continue;
        const std::size_t most = added + added / 16 + 1;  // rows have some digits more or less, and longer indices
        response_.reserve(before + most * request_.sentences.size() + max_end);
    }
    written_ = from + sentences;
}

}  // namespace transport
