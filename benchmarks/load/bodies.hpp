// The sentences of a file as request bodies.
#pragma once

#include <endian.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "input.hpp"

// Makes request bodies. Each takes the next sentences of the file: one body sent over and over flatters a server.
class Bodies {
 public:
  enum class Format { kEmbed, kInfer, kJson, kOllama, kOpenAI, kRaw, kTei };

  Bodies(const Flags& flags, Format format, size_t batch) : format_(format), batch_(batch) {
    frame(flags);
    std::string path = flags.text("--bodies", "");
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
    std::string body = before_;
    if (format_ == Format::kInfer) {
      std::string contents = sentences();
      return body += field(7, contents);  // raw_input_contents
    }
    return (body += sentences()) += after_;
  }

 private:
  // What stands before and after the sentences of each body.
  void frame(const Flags& flags) {
    std::string model = flags.text("--model", "embed");
    auto dimensions = static_cast<size_t>(flags.whole("--dimensions", 0, 1, 1 << 20));
    auto truncation = static_cast<size_t>(flags.whole("--truncation", 0, 0, 3));
    switch (format_) {
      case Format::kEmbed:
        if (truncation) after_ += number(2, truncation);
        if (flags.whole("--normalize", 0, 0, 1)) after_ += number(3, 1);
        if (dimensions) after_ += number(4, dimensions);
        if (flags.whole("--unknown-field", 0, 0, 1)) after_ += number(6, 1);
        break;
      case Format::kInfer: {
        std::string shape = varint(batch_) + varint(1);
        before_ = field(1, model) + field(5, field(1, "sentences") + field(2, "BYTES") + field(3, shape));
        break;
      }
      case Format::kOpenAI:  // As OpenAI's own client orders it; a single sentence is a string, as people send one.
        name_sentences("input");
        after_ += ",\"model\":" + json(model);
        if (dimensions) after_ += ",\"dimensions\":" + std::to_string(dimensions);
        after_ += ",\"encoding_format\":" + json(flags.text("--encoding", "base64")) + "}";
        break;
      case Format::kOllama:
        name_sentences("input");
        after_ += ",\"model\":" + json(model);
        if (dimensions) after_ += ",\"dimensions\":" + std::to_string(dimensions);
        after_ += "}";
        break;
      case Format::kTei:
        name_sentences("inputs");
        if (dimensions) after_ += ",\"dimensions\":" + std::to_string(dimensions);
        after_ += "}";
        break;
      case Format::kJson:
        between_ = ',';
        before_ = "[";
        after_ = "]";
        break;
      case Format::kRaw:
        between_ = '\n';
    }
  }

  // Begins an object with the sentences under `name`: one is a string, several are a list.
  void name_sentences(const std::string& name) {
    between_ = ',';
    before_ = "{" + json(name) + (batch_ == 1 ? ":" : ":[");
    after_ = batch_ == 1 ? "" : "]";
  }

  std::string sentences() {
    std::string all;
    for (size_t i = 0; i < batch_; ++i) {
      if (i && between_) all += between_;
      all += sentences_[next_];
      next_ = (next_ + 1) % sentences_.size();
    }
    return all;
  }

  std::string encode(const std::string& text) const {
    if (format_ == Format::kRaw) return text;
    if (format_ == Format::kEmbed) return field(1, text);
    if (format_ == Format::kInfer) {
      uint32_t size = htole32(static_cast<uint32_t>(text.size()));
      return std::string(reinterpret_cast<char*>(&size), sizeof size) + text;
    }
    return json(text);
  }

  static std::string json(const std::string& text) {
    std::string quoted = "\"";
    for (char c : text) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(c));
      if (c == '"' || c == '\\') (quoted += '\\') += c;
      else if (static_cast<unsigned char>(c) < 0x20) quoted += escaped;
      else quoted += c;
    }
    return quoted + '"';
  }

  static std::string varint(size_t number) {
    std::string bytes;
    for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80);
    return bytes + static_cast<char>(number);
  }

  // A field of a protobuf message that holds a number.
  static std::string number(int field, size_t value) { return static_cast<char>(field << 3) + varint(value); }

  // A length-delimited field of a protobuf message.
  static std::string field(int number, const std::string& content) {
    return static_cast<char>(number << 3 | 2) + varint(content.size()) + content;
  }

  Format format_;
  size_t batch_;
  std::string before_, after_;
  char between_ = 0;  // Stands between two sentences; none in protobuf's fields.
  std::vector<std::string> sentences_;
  size_t next_ = 0;
};
