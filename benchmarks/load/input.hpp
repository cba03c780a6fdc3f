// What a run is told: the command line's flags.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

const char kUsage[] = R"(usage: load --port N --bodies FILE (--concurrency N | --rate PER_S) [flags]
  --port N                of 127.0.0.1
  --source ADDRESS        from which it is called, 127.0.0.2 say (the system's choice)
  --concurrency N         closed loop: N requests always in flight
  --rate PER_S            open loop: Poisson arrivals; latency counts from when a request was due
  --seconds S             how long is measured (10)
  --warmup S              how long before that isn't (2)
  --bodies FILE           sentences, one a line
  --batch N               sentences in a request (1); 0 sends an empty one
  --deadline-ms MS        grpc-timeout of each request; late answers are told apart
  --min-response-bytes N  shorter OK answers are counted as short (0)
  --protocol grpc|http    (grpc)
  --path PATH             (grpc: /bothends.v1.EmbeddingService/Embed, http: /inference, openai: /v1/embeddings,
                          tei: /embed, ollama: /api/embed)
  --body json|raw|openai|tei|ollama  http: an array of strings, lines, or a request of OpenAI's embeddings API, of
                          text-embeddings-inference's or Ollama's (json)
  --body embed|infer      grpc: an EmbedRequest, or KServe's ModelInferRequest (embed)
  --model NAME            infer, openai, ollama: the model (embed); KServe's input is `sentences`, BYTES [batch, 1]
  --encoding NAME         openai: its encoding_format, base64 or float (base64)
  --truncation 0|1|2|3    embed: as the contract numbers it (0: none is sent)
  --normalize 0|1         embed: unit length
  --unknown-field 0|1     embed: a field that no schema has
  --dimensions N          embed, openai, tei, ollama: the first N numbers alone
  --connections N         grpc: connections (4)
  --key KEY               the callers' key, sent as `authorization: Bearer KEY`
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
