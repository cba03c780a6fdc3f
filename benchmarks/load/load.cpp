// Sends sentences to a server on this machine, by gRPC or HTTP/1.1, and prints how it answered as one JSON object.
// One thread, so that it takes little of the cores that the server needs; README.md says how little.
#include <sys/resource.h>
#include <sys/timerfd.h>

#include <ctime>
#include <random>

#include "bodies.hpp"
#include "http1.hpp"
#include "http2.hpp"
#include "input.hpp"

constexpr double kDrainS = 10;  // How long after the last arrival we wait for answers.

double cpu_s() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

// {"p50": 1.234, ...} of seconds as milliseconds, by nearest rank; null where there are none.
std::string percentiles(std::vector<double>& seconds, const std::vector<std::pair<const char*, double>>& wanted) {
  std::sort(seconds.begin(), seconds.end());
  std::string json;
  for (auto& [name, share] : wanted) {
    char number[32] = "null";
    size_t rank = static_cast<size_t>(std::ceil(share * static_cast<double>(seconds.size())));
    if (rank) std::snprintf(number, sizeof number, "%.3f", seconds[rank - 1] * 1e3);
    json += std::string(json.empty() ? "{\"" : ", \"") + name + "\": " + number;
  }
  return json + "}";
}

// "0": 12, "8": 3 of counts by status.
std::string listed(const std::map<int, size_t>& counts) {
  std::string json;
  for (auto& [status, count] : counts)
    json += (json.empty() ? "\"" : ", \"") + (status == kNoAnswer ? "none" : std::to_string(status)) + "\": " +
            std::to_string(count);
  return json;
}

// One run. Its requests are those that were due in the measured time, whenever they were answered, so that a request
// that hangs is counted too; its sentences are those that were answered well in that time, whenever they were due.
class Run {
 public:
  explicit Run(const Flags& flags)
      : http_(flags.text("--protocol", "grpc") == "http"),
        concurrency_(static_cast<size_t>(flags.whole("--concurrency", 0, 1, 10000))),
        batch_(static_cast<size_t>(flags.whole("--batch", 1, 0, 1000000))),
        min_bytes_(static_cast<size_t>(flags.whole("--min-response-bytes", 0, 0, 1L << 40))),
        deadline_ms_(flags.whole("--deadline-ms", 0, 1, 99999999)),  // gRPC allows eight digits.
        rate_(flags.number("--rate", 0, 1e-3, 1e6)),
        begin_(flags.number("--warmup", 2, 0, 86400)),
        end_(begin_ + flags.number("--seconds", 10, 0.01, 86400)),
        seed_(static_cast<uint32_t>(flags.whole("--seed", std::random_device()(), 0, UINT32_MAX))),
        random_(seed_),
        bodies_(flags, format(flags), batch_) {
    if (!http_ && flags.text("--protocol", "grpc") != "grpc") usage("--protocol is grpc or http");
    if (flags.has("--concurrency") == flags.has("--rate")) usage("give one of --concurrency and --rate");
    bodies_.start_at(random_());
    epoll_ = epoll_create1(0);
    timer_ = timerfd_create(CLOCK_MONOTONIC, 0);
    epoll_event event{};  // Its null pointer tells the timer from the connections.
    event.events = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
    auto on_answer = [this](double due, const Answer& answer) { answered(due, answer); };
    Route route{static_cast<int>(flags.whole("--port", 0, 1, 65535))};
    if (!route.port) usage("--port is missing");
    if (inet_pton(AF_INET, flags.text("--source", "0.0.0.0").c_str(), &route.source) != 1)
      usage("--source is an IPv4 address");
    if (http_) {
      size_t most = static_cast<size_t>(flags.whole("--max-connections", 256, 1, 10000));
      std::string body = flags.text("--body", "json");
      std::string headers = body == "raw" ? "Content-Type: text/plain; charset=utf-8" : "Content-Type: application/json";
      if (flags.has("--key")) headers += "\r\nAuthorization: Bearer " + flags.text("--key", "");
      client_ = std::make_unique<HttpClient>(epoll_, route, concurrency_ ? concurrency_ : most,
                                             flags.text("--path", http_path(body)), headers, on_answer);
    } else {
      size_t connections = static_cast<size_t>(flags.whole("--connections", 4, 1, 1000));
      client_ = std::make_unique<GrpcClient>(epoll_, route, connections,
                                             flags.text("--path", "/bothends.v1.EmbeddingService/Embed"),
                                             flags.text("--key", ""),
                                             Deadline{static_cast<double>(deadline_ms_) * 1e-3,
                                                      [this] { return clock_s() - start_; }},
                                             on_answer);
    }
  }

  void go() {
    start_ = clock_s();
    std::exponential_distribution<double> gap(rate_ > 0 ? rate_ : 1);
    double arrival = gap(random_), cpu_at_begin = 0;
    for (int edge = 0;;) {  // How many of begin_ and end_ have passed.
      double now = clock_s() - start_;
      if (edge == 0 && now >= begin_) ++edge, cpu_at_begin = cpu_s(), std::fputs("begin\n", stderr);
      if (edge == 1 && now >= end_) ++edge, cpu_s_ = cpu_s() - cpu_at_begin, std::fputs("end\n", stderr);
      if (edge == 2 && (requests_ == settled_ || now >= end_ + kDrainS)) return;
      if (rate_ > 0) {
        for (; arrival <= now && arrival < end_; arrival += gap(random_)) send(arrival);
      } else if (edge < 2) {
        for (size_t missing = concurrency_ - in_flight_; missing; --missing) send(clock_s() - start_);
      }
      client_->flush();
      double wake = edge == 0 ? begin_ : edge == 1 ? end_ : end_ + kDrainS;
      if (rate_ > 0 && arrival < end_) wake = std::min(wake, arrival);
      if (rate_ == 0 && edge < 2 && in_flight_ < concurrency_) wake = now;  // The flush lost a connection: go on.
      wait(wake);
    }
  }

  void report() {
    double seconds = end_ - begin_;
    std::printf("{\"protocol\": \"%s\", \"loop\": \"%s\", \"%s\": %g, \"batch\": %zu, \"seed\": %u, \"seconds\": %g, ",
                http_ ? "http" : "grpc", rate_ > 0 ? "open" : "closed", rate_ > 0 ? "rate" : "concurrency",
                rate_ > 0 ? rate_ : static_cast<double>(concurrency_), batch_, seed_, seconds);
    std::printf("\"requests\": %zu, \"ok\": %zu, \"refused\": %zu, \"expired\": %zu, \"unanswered\": %zu, ", requests_,
                ok_.size(), refused_.size(), expired_, requests_ - settled_);
    std::printf("\"statuses\": {%s}, \"retry_infos\": {%s}, ", listed(statuses_).c_str(), listed(retry_infos_).c_str());
    std::printf("\"sentences\": %zu, \"sentences_per_s\": %.1f, \"latency_ms\": %s, ", sentences_,
                static_cast<double>(sentences_) / seconds,
                percentiles(ok_, {{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p99.9", .999}, {"max", 1}}).c_str());
    std::printf("\"refused_latency_ms\": %s, ", percentiles(refused_, {{"p50", .5}, {"p99", .99}}).c_str());
    std::printf("\"ok_within_deadline\": %s, ", deadline_ms_ ? std::to_string(within_deadline_).c_str() : "null");
    std::printf("\"short_answers\": %zu, \"response_bytes\": %zu, ", short_, response_bytes_);
    std::printf("\"send_lag_ms\": %s, ", percentiles(lags_, {{"p50", .5}, {"p99", .99}, {"max", 1}}).c_str());
    std::printf("\"cpu_s\": %.3f}\n", cpu_s_);
  }

 private:
  static Bodies::Format format(const Flags& flags) {
    bool http = flags.text("--protocol", "grpc") == "http";
    std::string body = flags.text("--body", http ? "json" : "embed");
    if (body == "json" && http) return Bodies::Format::kJson;
    if (body == "raw" && http) return Bodies::Format::kRaw;
    if (body == "openai" && http) return Bodies::Format::kOpenAI;
    if (body == "tei" && http) return Bodies::Format::kTei;
    if (body == "ollama" && http) return Bodies::Format::kOllama;
    if (body == "embed" && !http) return Bodies::Format::kEmbed;
    if (body == "infer" && !http) return Bodies::Format::kInfer;
    usage("--body is json, raw, openai, tei or ollama over HTTP, embed or infer over gRPC");
  }

  static std::string http_path(const std::string& body) {
    if (body == "openai") return "/v1/embeddings";
    if (body == "tei") return "/embed";
    return body == "ollama" ? "/api/embed" : "/inference";
  }

  static double clock_s() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  }

  bool measured(double at) const { return at >= begin_ && at < end_; }

  void send(double due) {
    ++in_flight_;
    if (measured(due)) {
      ++requests_;
      lags_.push_back(clock_s() - start_ - due);
    }
    client_->send(due, bodies_.next());
  }

  void answered(double due, const Answer& answer) {
    double now = clock_s() - start_, latency = now - due;
    int status = answer.status;
    bool ok = http_ ? status / 100 == 2 : status == 0;
    if (status != kNoAnswer) heard_ = true;
    if (!heard_) fail("the server ended the first request without an answer; is that port's protocol right?");
    --in_flight_;
    if (ok && measured(now)) sentences_ += batch_;
    if (!measured(due)) return;
    ++settled_;
    ++statuses_[status];
    if (answer.retry_info) ++retry_infos_[status];
    bool late = deadline_ms_ && latency * 1e3 > static_cast<double>(deadline_ms_);
    // DEADLINE_EXCEEDED well ahead of the deadline is a refusal too: the server won't try. Just ahead of it, gRPC's
    // own clock was a little fast, and the call has expired.
    bool early = latency * 1e3 < 0.9 * static_cast<double>(deadline_ms_);
    if (http_ ? status == 429 || status == 503 : status == 8 || (status == kDeadlineExceeded && early)) refused_.push_back(latency);
    if (!http_ && status == kDeadlineExceeded && !early) ++expired_;
    if (!ok) return;
    ok_.push_back(latency);
    response_bytes_ += answer.bytes;
    if (answer.bytes < min_bytes_) ++short_;
    if (deadline_ms_ && !late) ++within_deadline_;
  }

  // Waits for an answer or until `wake`, and takes the answers. A timer, as epoll's own timeout counts milliseconds.
  void wait(double wake) {
    if (wake != wake_) {
      wake_ = wake;
      double at = start_ + wake;
      itimerspec spec{};
      spec.it_value.tv_sec = static_cast<time_t>(at);
      spec.it_value.tv_nsec = static_cast<long>((at - std::floor(at)) * 1e9);
      timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr);  // Unreadable again until then, without a read.
    }
    epoll_event events[256];
    int count = epoll_wait(epoll_, events, 256, -1);
    for (int i = 0; i < count; ++i)
      if (events[i].data.ptr) static_cast<Connection*>(events[i].data.ptr)->ready(events[i].events);
  }

  bool http_, heard_ = false;
  size_t concurrency_, batch_, min_bytes_;
  long deadline_ms_;
  double rate_, begin_, end_;  // begin_ and end_ of the measured time, in seconds since start_, as all times here.
  uint32_t seed_;
  std::mt19937_64 random_;
  Bodies bodies_;
  int epoll_, timer_;
  std::unique_ptr<Client> client_;

  double start_ = 0, wake_ = -1, cpu_s_ = 0;
  size_t in_flight_ = 0, requests_ = 0, settled_ = 0, sentences_ = 0, within_deadline_ = 0, expired_ = 0, short_ = 0;
  size_t response_bytes_ = 0;
  std::map<int, size_t> statuses_, retry_infos_;
  std::vector<double> ok_, refused_, lags_;
};

int main(int count, char** words) {
  Run run{Flags(count, words)};
  run.go();
  run.report();
}
