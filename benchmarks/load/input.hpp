// What a run is told: the command line's flags, and the sentences of a file as request bodies.
#pragma once

#include <endian.h>

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
  --batch N               sentences in a request (1); 0 sends an empty one
  --deadline-ms MS        grpc-timeout of each request; late answers are told apart
  --min-response-bytes N  shorter OK answers are counted as short (0)
  --protocol grpc|http    (grpc)
  --path PATH             (grpc: /bothends.v1.EmbeddingService/Embed, http: /inference)
  --body json|raw         http: an array of strings, or lines (json)
  --body embed|infer      grpc: an EmbedRequest, or KServe's ModelInferRequest (embed)
  --model NAME            with --body infer: the model; its input is `sentences`, BYTES [batch, 1] (embed)
  --connections N         grpc: connections (4)
  --key KEY               grpc: the callers' key, sent as `authorization: Bearer KEY`
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
  enum class Format { kEmbed, kInfer, kJson, kRaw };

  Bodies(const std::string& path, Format format, size_t batch, const std::string& model)
      : format_(format), batch_(batch) {
    if (format == Format::kInfer) {
      std::string shape = varint(batch) + varint(1);
      infer_ = field(1, model) + field(5, field(1, "sentences") + field(2, "BYTES") + field(3, shape));
    }
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
      if (i && format_ == Format::kJson) body += ',';
      if (i && format_ == Format::kRaw) body += '\n';
      body += sentences_[next_];
      next_ = (next_ + 1) % sentences_.size();
    }
    if (format_ == Format::kInfer) return infer_ + field(7, body);  // raw_input_contents
    return format_ == Format::kJson ? body + "]" : body;
  }

 private:
  std::string encode(const std::string& text) const {
    if (format_ == Format::kRaw) return text;
    if (format_ == Format::kEmbed) return field(1, text);
    if (format_ == Format::kInfer) {
      uint32_t size = htole32(static_cast<uint32_t>(text.size()));
      return std::string(reinterpret_cast<char*>(&size), sizeof size) + text;
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

  static std::string varint(size_t number) {
    std::string bytes;
    for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80);
    return bytes + static_cast<char>(number);
  }

  // A length-delimited field of a protobuf message.
  static std::string field(int number, const std::string& content) {
    return static_cast<char>(number << 3 | 2) + varint(content.size()) + content;
  }

  Format format_;
  size_t batch_;
  std::string infer_;  // What stands before the sentences of a ModelInferRequest.
  std::vector<std::string> sentences_;
  size_t next_ = 0;
};
