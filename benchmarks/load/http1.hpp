// POST over HTTP/1.1 with keep-alive: one request at a time on a connection, more connections as more are in flight.
#pragma once

#include <cctype>
#include <deque>

#include "connection.hpp"

struct Response {
  int status = 0;
  size_t bytes = 0;  // Of the body.
  bool keep_alive = true;
};

enum class Parsed { kWhole, kPart, kBroken };

// Parses the response that `in` starts with; `ended` says that the server closed, so nothing will be added.
inline Parsed parse(const std::string& in, bool ended, Response& response) {
  const Parsed unfinished = ended ? Parsed::kBroken : Parsed::kPart;
  size_t body = in.find("\r\n\r\n");
  if (body == std::string::npos) return unfinished;
  std::string head = in.substr(0, body + 2);
  for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  body += 4;
  response.status = head.compare(0, 7, "http/1.") == 0 && head.size() > 12 ? std::atoi(head.c_str() + 9) : 0;
  if (response.status < 100) return Parsed::kBroken;
  if (response.status < 200) return parse(in.substr(body), ended, response);  // 100 Continue goes before the answer.
  auto has = [&](const char* text) { return head.find(text) != std::string::npos; };
  response.keep_alive = has("\r\nconnection: keep-alive") || (head[7] != '0' && !has("\r\nconnection: close"));
  response.bytes = 0;
  if (response.status == 204 || response.status == 304) return Parsed::kWhole;
  if (has("\r\ntransfer-encoding:")) {
    while (true) {
      size_t line = in.find("\r\n", body);
      if (line == std::string::npos) return unfinished;
      size_t chunk = std::strtoul(in.c_str() + body, nullptr, 16);
      body = line + 2;
      // The last chunk is empty; trailers may stand between it and the blank line.
      if (chunk == 0) return in.find("\r\n\r\n", line) == std::string::npos ? unfinished : Parsed::kWhole;
      if (in.size() - body < chunk + 2) return unfinished;
      response.bytes += chunk;
      body += chunk + 2;
    }
  }
  size_t length = head.find("\r\ncontent-length:");
  if (length == std::string::npos) {  // The end of the connection ends the body.
    response.bytes = in.size() - body;
    return ended ? Parsed::kWhole : Parsed::kPart;
  }
  response.bytes = std::strtoul(head.c_str() + length + 17, nullptr, 10);
  return in.size() - body < response.bytes ? unfinished : Parsed::kWhole;
}

class Http1Connection : public Connection {
 public:
  Http1Connection(int epoll, int port, const OnAnswer& on_answer) : Connection(epoll, port), on_answer_(on_answer) {}

  bool idle() const { return !closed() && !busy_; }

  void post(double due_s, const std::string& request) {
    busy_ = true;
    due_s_ = due_s;
    queue(request.data(), request.size());
    write_out();
  }

 protected:
  void received(const uint8_t* bytes, size_t size) override {
    in_.append(reinterpret_cast<const char*>(bytes), size);
    if (!busy_ || !settle(false)) close();
  }
  void ended() override {
    if (busy_) settle(true);
  }

 private:
  // Reports the answer once it's whole or broken; false where the connection can't be used again.
  bool settle(bool ended) {
    Response response;
    Parsed parsed = parse(in_, ended, response);
    if (parsed == Parsed::kPart) return true;
    bool whole = parsed == Parsed::kWhole;
    busy_ = false;
    in_.clear();
    on_answer_(due_s_, whole ? Answer{response.status, response.bytes} : Answer{});
    return whole && response.keep_alive;
  }

  const OnAnswer& on_answer_;
  std::string in_;
  bool busy_ = false;
  double due_s_ = 0;
};

class HttpClient : public Client {
 public:
  HttpClient(int epoll, int port, size_t max_connections, const std::string& path, const std::string& type,
             OnAnswer on_answer)
      : epoll_(epoll), port_(port), limit_(max_connections), on_answer_(std::move(on_answer)) {
    head_ = "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\nContent-Type: " + type +
            "\r\nContent-Length: ";
  }

  void send(double due_s, const std::string& body) override {
    waiting_.emplace_back(due_s, head_ + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  void flush() override {
    drop_closed(connections_);
    while (!waiting_.empty()) {
      Http1Connection* connection = idle();
      if (!connection) return;  // All are busy: the request's latency goes on counting from when it was due.
      connection->post(waiting_.front().first, waiting_.front().second);
      waiting_.pop_front();
    }
  }

 private:
  Http1Connection* idle() {
    for (auto& connection : connections_)
      if (connection->idle()) return connection.get();
    if (connections_.size() == limit_) return nullptr;
    connections_.push_back(std::make_unique<Http1Connection>(epoll_, port_, on_answer_));
    return connections_.back().get();
  }

  int epoll_, port_;
  size_t limit_;
  OnAnswer on_answer_;
  std::string head_;
  std::deque<std::pair<double, std::string>> waiting_;
  std::vector<std::unique_ptr<Http1Connection>> connections_;
};
