// POST over HTTP/1.1 with keep-alive: one request at a time on a connection, more connections as more are in flight.
#pragma once

#include <strings.h>

#include <deque>
#include <string_view>

#include "connection.hpp"

struct Response {
  int status = 0;
  size_t bytes = 0;  // Of the body.
  bool keep_alive = true;
};

enum class Parsed { kWhole, kPart, kBroken };

// The value of a header in a head, which goes from the first line's end; nothing where there is none of that name.
inline std::string_view value_of(std::string_view head, std::string_view name) {
  for (size_t line = 0, end; (end = head.find("\r\n", line + 2)) != std::string_view::npos; line = end) {
    std::string_view field = head.substr(line + 2, end - line - 2);
    if (field.size() <= name.size() || field[name.size()] != ':') continue;
    if (strncasecmp(field.data(), name.data(), name.size())) continue;
    field.remove_prefix(std::min(field.size(), field.find_first_not_of(' ', name.size() + 1)));
    return field;
  }
  return {};
}

// Parses the response that `in` starts with; `ended` says that the server closed, so nothing will be added.
inline Parsed parse(std::string_view in, bool ended, Response& response) {
  const Parsed unfinished = ended ? Parsed::kBroken : Parsed::kPart;
  size_t body = in.find("\r\n\r\n");
  if (body == std::string_view::npos) return unfinished;
  std::string_view head = in.substr(0, body + 2);
  body += 4;
  response.status = head.substr(0, 7) == "HTTP/1." && head.size() > 12 ? std::atoi(head.data() + 9) : 0;
  if (response.status < 100) return Parsed::kBroken;
  if (response.status < 200) return parse(in.substr(body), ended, response);  // 100 Continue goes before the answer.
  std::string_view fields = head.substr(head.find("\r\n")), connection = value_of(fields, "connection");
  auto says = [&](std::string_view word) {
    return connection.size() == word.size() && !strncasecmp(connection.data(), word.data(), word.size());
  };
  response.keep_alive = says("keep-alive") || (head[7] != '0' && !says("close"));
  response.bytes = 0;
  if (response.status == 204 || response.status == 304) return Parsed::kWhole;
  if (!value_of(fields, "transfer-encoding").empty()) {
    while (true) {
      size_t line = in.find("\r\n", body);
      if (line == std::string_view::npos) return unfinished;
      size_t chunk = std::strtoul(in.data() + body, nullptr, 16);
      body = line + 2;
      // The last chunk is empty; trailers may stand between it and the blank line.
      if (chunk == 0) return in.find("\r\n\r\n", line) == std::string_view::npos ? unfinished : Parsed::kWhole;
      if (in.size() - body < chunk + 2) return unfinished;
      response.bytes += chunk;
      body += chunk + 2;
    }
  }
  std::string_view length = value_of(fields, "content-length");
  if (length.empty()) {  // The end of the connection ends the body.
    response.bytes = in.size() - body;
    return ended ? Parsed::kWhole : Parsed::kPart;
  }
  response.bytes = std::strtoul(length.data(), nullptr, 10);
  return in.size() - body < response.bytes ? unfinished : Parsed::kWhole;
}

class Http1Connection : public Connection {
 public:
  // Adds itself to `idle` whenever it can be posted on, and takes itself out where it ends.
  Http1Connection(int epoll, const Route& route, std::vector<Http1Connection*>& idle, const OnAnswer& on_answer)
      : Connection(epoll, route), idle_(idle), on_answer_(on_answer) {
    idle_.push_back(this);
  }

  // Posts on one of the idle ones, which the caller has taken out of them.
  void post(double due_s, const std::string& request) {
    busy_ = true;
    due_s_ = due_s;
    queue(request.data(), request.size());
    write_out();
  }

 protected:
  void received(const uint8_t* bytes, size_t size) override {
    in_.append(reinterpret_cast<const char*>(bytes), size);
    if (!busy_ || !settle(false)) return close();
    if (!busy_) idle_.push_back(this);
  }
  void ended() override {
    if (busy_) settle(true);
    idle_.erase(std::remove(idle_.begin(), idle_.end(), this), idle_.end());
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

  std::vector<Http1Connection*>& idle_;
  const OnAnswer& on_answer_;
  std::string in_;
  bool busy_ = false;
  double due_s_ = 0;
};

class HttpClient : public Client {
 public:
  // `headers` are whole lines without the last one's end.
  HttpClient(int epoll, const Route& route, size_t max_connections, const std::string& path, const std::string& headers,
             OnAnswer on_answer)
      : epoll_(epoll), route_(route), limit_(max_connections), on_answer_(std::move(on_answer)) {
    head_ = "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(route.port) + "\r\n" + headers +
            "\r\nContent-Length: ";
  }

  void send(double due_s, const std::string& body) override {
    waiting_.emplace_back(due_s, head_ + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  void flush() override {
    drop_closed(connections_);
    for (; !waiting_.empty(); waiting_.pop_front()) {
      // Where all are busy, the request's latency goes on counting from when it was due.
      if (idle_.empty() && connections_.size() == limit_) return;
      if (idle_.empty()) connections_.push_back(std::make_unique<Http1Connection>(epoll_, route_, idle_, on_answer_));
      Http1Connection* connection = idle_.back();
      idle_.pop_back();
      connection->post(waiting_.front().first, waiting_.front().second);
    }
  }

 private:
  int epoll_;
  Route route_;
  size_t limit_;
  OnAnswer on_answer_;
  std::string head_;
  std::deque<std::pair<double, std::string>> waiting_;
  std::vector<Http1Connection*> idle_;
  std::vector<std::unique_ptr<Http1Connection>> connections_;
};
