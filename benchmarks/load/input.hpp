// What a run is told: the command line's flags, and the sentences of a file as request bodies.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

const char kUsage[] = R"(usage: load --port N --bodies FILE (--concurrency N | --rate PER_S) [flags]
  --port N                of 127.0.0.1
  --concurrency N         closed loop: N requests always in flight
  --rate PER_S            open loop: Poisson arrivals; latency counts from when a request was due
  --seconds S             how long is measured (10)
  --warmup S              how long before that isn't (2)
  --bodies FILE           sentences, one a line
  --batch N               sentences in a request (1)
  --deadline-ms MS        grpc-timeout of each request; late answers are told apart
  --min-response-bytes N  shorter OK answers are counted as short (0)
  --protocol grpc|http    (grpc)
  --path PATH             (grpc: /bothends.v1.EmbeddingService/Embed, http: /inference)
  --body json|raw         http: an array of strings, or lines (json)
  --connections N         grpc: connections (4)
  --max-connections N     http with --rate: most connections (256)
  --seed N                of the arrivals and of the first sentence (random)
)";

[[noreturn]] void usage(const std::string& why) {
  std::fprintf(stderr, "load: %s\n%s", why.c_str(), kUsage);
  std::exit(2);
}

// The command line: every flag takes a value.
class Flags {
 public:
  Flags(int count, char** words) {
    for (int i = 1; i < count; i += 2) {
      std::string name = words[i];
      if (name == "--help" || name == "-h") std::exit(std::fputs(kUsage, stdout) < 0);
      if (!std::strstr(kUsage, ("\n  " + name + " ").c_str())) usage("no such flag: " + name);
      if (i + 1 == count) usage(name + " needs a value");
      values_[name] = words[i + 1];
    }
  }
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  std::string text(const std::string& name, const std::string& otherwise) const {
    return has(name) ? values_.at(name) : otherwise;
  }
  double number(const std::string& name, double otherwise, double least, double most) const {
    if (!has(name)) return otherwise;
    char* end;
    double value = std::strtod(values_.at(name).c_str(), &end);
    if (*end || end == values_.at(name).c_str() || !(value >= least && value <= most))
      usage(name + " can't be " + values_.at(name));
    return value;
  }
  long whole(const std::string& name, long otherwise, long least, long most) const {
    double value = number(name, static_cast<double>(otherwise), static_cast<double>(least), static_cast<double>(most));
    if (value != std::floor(value)) usage(name + " must be a whole number");
    return static_cast<long>(value);
  }

 private:
  std::map<std::string, std::string> values_;
};

// Makes request bodies. Each takes the next sentences of the file: one body sent over and over flatters a server.
class Bodies {
 public:
  enum class Format { kProtobuf, kJson, kRaw };

  Bodies(const std::string& path, Format format, size_t batch) : format_(format), batch_(batch) {
    std::ifstream file(path);
    if (!file) usage("can't read " + path);
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) sentences_.push_back(encode(line));
    }
    if (sentences_.empty()) usage(path + " holds no sentences");
  }

  void start_at(size_t index) { next_ = index % sentences_.size(); }

  std::string next() {
    std::string body = format_ == Format::kJson ? "[" : "";
    for (size_t i = 0; i < batch_; ++i) {
      if (i && format_ != Format::kProtobuf) body += format_ == Format::kJson ? ',' : '\n';
      body += sentences_[next_];
      next_ = (next_ + 1) % sentences_.size();
    }
    return format_ == Format::kJson ? body + "]" : body;
  }

 private:
  std::string encode(const std::string& text) const {
    if (format_ == Format::kRaw) return text;
    if (format_ == Format::kProtobuf) {
      std::string field = "\x0a";  // Field 1, length-delimited.
      size_t size = text.size();
      for (; size >= 0x80; size >>= 7) field += static_cast<char>(size | 0x80);
      return field + static_cast<char>(size) + text;
    }
    std::string json = "\"";
    for (char c : text) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(c));
      if (c == '"' || c == '\\') (json += '\\') += c;
      else if (static_cast<unsigned char>(c) < 0x20) json += escaped;
      else json += c;
    }
    return json + '"';
  }

  Format format_;
  size_t batch_;
  std::vector<std::string> sentences_;
  size_t next_ = 0;
};
