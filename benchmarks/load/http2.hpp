// gRPC's unary calls over HTTP/2 without TLS: a few connections that each carry many streams. As gRPC's own clients do,
// what is over the server's limit of streams waits here, and is given up at its deadline.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cmath>
#include <deque>
#include <functional>
#include <string_view>
#include <unordered_map>

#include "connection.hpp"

constexpr int kDeadlineExceeded = 4;

inline nghttp2_nv header(std::string_view name, std::string_view value, uint8_t flags) {
  auto bytes = [](std::string_view text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); };
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

// The bytes that binary metadata stands for, with padding or without.
inline std::string from_base64(std::string_view text) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    size_t digit = digits.find(c);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8));
  }
  return bytes;
}

// Of calls: none for none.
struct Deadline {
  double seconds = 0;
  std::function<double()> now;
};

// Uses nghttp2's calls of before 1.60 (mem_send, not mem_send2), which Ubuntu 24.04 has too.
class Http2Connection : public Connection {
 public:
  Http2Connection(int epoll, const Route& route, const std::vector<nghttp2_nv>& headers, const Deadline& deadline,
                  const OnAnswer& on_answer)
      : Connection(epoll, route), headers_(headers), deadline_(deadline), on_answer_(on_answer) {
    nghttp2_session_callbacks* callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    // Wide windows: the server never waits for us, and we send next to no window updates.
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 << 20}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 30);
  }
  ~Http2Connection() override { nghttp2_session_del(session_); }

  // False once the server said GOAWAY.
  bool usable() const { return !closed() && nghttp2_session_check_request_allowed(session_); }
  size_t in_flight() const { return streams_.size() + waiting_.size(); }

  void post(double due_s, const std::string& message) { waiting_.push_back({due_s, message}); }

  void pump() {
    send_waiting();
    const uint8_t* bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(session_, &bytes)) > 0) queue(bytes, static_cast<size_t>(n));
    write_out();
    if (n < 0 || (!nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_))) close();
  }

 protected:
  void received(const uint8_t* bytes, size_t size) override {
    if (nghttp2_session_mem_recv(session_, bytes, size) < 0) close();
  }

  void ended() override {
    for (auto& [id, stream] : streams_) on_answer_(stream->due_s, Answer{});
    for (auto& request : waiting_) on_answer_(request.due_s, Answer{});
    streams_.clear();
    waiting_.clear();
  }

 private:
  struct Request {
    double due_s;
    std::string message;
  };

  void send_waiting() {
    if (!greeted_) return;  // The server's limit isn't known.
    size_t most = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    for (; !waiting_.empty(); waiting_.pop_front()) {
      const Request& request = waiting_.front();
      double left_s = deadline_.seconds ? request.due_s + deadline_.seconds - deadline_.now() : 0;
      if (deadline_.seconds && left_s <= 0)
        on_answer_(request.due_s, Answer{kDeadlineExceeded});
      else if (streams_.size() < most)
        submit(request.due_s, request.message, left_s);
      else
        return;
    }
  }

  void submit(double due_s, const std::string& message, double left_s) {
    std::string timeout = std::to_string(std::max(1L, std::lround(left_s * 1e6))) + "u";
    std::vector<nghttp2_nv> headers = headers_;
    if (left_s > 0) headers.push_back(header("grpc-timeout", timeout, NGHTTP2_NV_FLAG_NONE));
    auto stream = std::make_unique<Stream>();
    stream->due_s = due_s;
    uint32_t size = htonl(static_cast<uint32_t>(message.size()));
    stream->body.assign(1, 0).append(reinterpret_cast<char*>(&size), 4).append(message);  // 0: not compressed.
    nghttp2_data_provider provider{};
    provider.source.ptr = stream.get();
    provider.read_callback = read_body;
    int32_t id = nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(), &provider, stream.get());
    if (id < 0) fail(std::string("cannot submit a request: ") + nghttp2_strerror(id));
    streams_.emplace(id, std::move(stream));
  }

  struct Stream {
    double due_s = 0;
    std::string body;
    size_t sent = 0;
    size_t received = 0;
    Answer answer;  // Its status stays as it is where a proxy answers with an HTTP status alone.
  };

  static Stream* stream_of(nghttp2_session* session, int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static ssize_t read_body(nghttp2_session*, int32_t, uint8_t* to, size_t size, uint32_t* flags,
                           nghttp2_data_source* source, void*) {
    Stream& stream = *static_cast<Stream*>(source->ptr);
    size_t n = std::min(size, stream.body.size() - stream.sent);
    std::memcpy(to, stream.body.data() + stream.sent, n);
    stream.sent += n;
    if (stream.sent == stream.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type == NGHTTP2_SETTINGS) static_cast<Http2Connection*>(self)->greeted_ = true;
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void*) {
    std::string_view key(reinterpret_cast<const char*>(name), name_size);
    if (key != "grpc-status" && key != "grpc-status-details-bin") return 0;
    Stream* stream = stream_of(session, frame->hd.stream_id);
    if (!stream) return 0;
    std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key == "grpc-status")
      stream->answer.status = std::atoi(text.c_str());
    else
      stream->answer.retry_info = from_base64(text).find("google.rpc.RetryInfo") != std::string::npos;
    return 0;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t*, size_t size, void*) {
    if (Stream* stream = stream_of(session, id)) stream->received += size;
    return 0;
  }

  static int on_stream_close(nghttp2_session*, int32_t id, uint32_t, void* self) {
    auto& connection = *static_cast<Http2Connection*>(self);
    auto found = connection.streams_.find(id);
    if (found == connection.streams_.end()) return 0;
    Stream& stream = *found->second;
    stream.answer.bytes = stream.received < 5 ? 0 : stream.received - 5;  // Less gRPC's prefix: a flag and a length.
    connection.on_answer_(stream.due_s, stream.answer);
    connection.streams_.erase(found);
    return 0;
  }

  const std::vector<nghttp2_nv>& headers_;
  const Deadline& deadline_;
  const OnAnswer& on_answer_;
  nghttp2_session* session_ = nullptr;
  std::deque<Request> waiting_;
  bool greeted_ = false;
  std::unordered_map<int32_t, std::unique_ptr<Stream>> streams_;
};

class GrpcClient : public Client {
 public:
  GrpcClient(int epoll, const Route& route, size_t connections, std::string path, const std::string& key,
             Deadline deadline, OnAnswer on_answer)
      : epoll_(epoll), route_(route), limit_(connections), deadline_(std::move(deadline)), on_answer_(std::move(on_answer)) {
    values_ = {{":method", "POST"}, {":scheme", "http"}, {":path", std::move(path)},
               {":authority", "127.0.0.1:" + std::to_string(route.port)},
               {"content-type", "application/grpc"}, {"te", "trailers"}};
    if (!key.empty()) values_.emplace_back("authorization", "Bearer " + key);
    for (auto& [name, value] : values_)
      headers_.push_back(header(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE));
  }

  void send(double due_s, const std::string& body) override { min_loaded().post(due_s, body); }

  void flush() override {
    for (auto& connection : connections_)
      if (!connection->closed()) connection->pump();
    drop_closed(connections_);
  }

 private:
  Http2Connection& min_loaded() {
    Http2Connection* best = nullptr;
    size_t usable = 0;
    ++turn_;  // Ties go around, or one connection would carry all that a low load has.
    for (size_t i = 0; i < connections_.size(); ++i) {
      Http2Connection& connection = *connections_[(turn_ + i) % connections_.size()];
      if (!connection.usable()) continue;
      ++usable;
      if (!best || connection.in_flight() < best->in_flight()) best = &connection;
    }
    if (usable >= limit_) return *best;
    connections_.push_back(std::make_unique<Http2Connection>(epoll_, route_, headers_, deadline_, on_answer_));
    return *connections_.back();
  }

  int epoll_;
  Route route_;
  size_t limit_, turn_ = 0;
  Deadline deadline_;
  OnAnswer on_answer_;
  std::vector<std::pair<std::string, std::string>> values_;
  std::vector<nghttp2_nv> headers_;  // Points into values_.
  std::vector<std::unique_ptr<Http2Connection>> connections_;
};
