// A non-blocking TCP connection to 127.0.0.1, driven by epoll: bytes out, bytes in, and its end.
// Knows nothing about HTTP.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

constexpr int kNoAnswer = -1;  // The status of a request whose connection or stream broke.

struct Answer {
  int status = kNoAnswer;   // gRPC's or HTTP's.
  size_t bytes = 0;         // Of the body.
  bool retry_info = false;  // Its status says when to come again: a RetryInfo among gRPC's details.
};

// Told once for each request: when it was due, and its answer.
using OnAnswer = std::function<void(double due_s, const Answer& answer)>;

// Sends requests over as many connections as it thinks fit.
class Client {
 public:
  virtual ~Client() = default;
  virtual void send(double due_s, const std::string& body) = 0;
  // Called once after each round of events and sends: writes what is queued and drops dead connections.
  virtual void flush() = 0;
};

[[noreturn]] inline void fail(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(1);
}

// A port of 127.0.0.1, and the address of this machine's from which it is called.
struct Route {
  int port = 0;
  in_addr source{};  // 0.0.0.0 leaves it to the system.
};

class Connection {
 public:
  Connection(int epoll, const Route& route) : epoll_(epoll), port_(route.port) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) fail(std::string("cannot open a socket: ") + std::strerror(errno));
    int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr = route.source;
    if (route.source.s_addr && bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address))
      fail(std::string("cannot call from that address: ") + std::strerror(errno));
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) && errno != EINPROGRESS)
      cannot_connect(errno);
    epoll_event event = interest();
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool closed() const { return fd_ < 0; }

  void ready(uint32_t events) {
    if (!closed() && events & EPOLLOUT) write_out();
    if (!closed() && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_in();
  }

 protected:
  virtual void received(const uint8_t* bytes, size_t size) = 0;
  virtual void ended() = 0;  // Called once, when either side closed it.

  void queue(const void* bytes, size_t size) { out_.append(static_cast<const char*>(bytes), size); }

  void write_out() {
    while (written_ < out_.size()) {
      ssize_t n = ::send(fd_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
      if (n >= 0) {
        connected_ = true;
        written_ += static_cast<size_t>(n);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        // Not closed here, amid a send: epoll reports the broken socket next, and read_in closes it.
        error_ = errno;
        written_ = out_.size();
      }
    }
    if (written_ == out_.size()) {
      out_.clear();
      written_ = 0;
    }
    if (waits_to_write_ != !out_.empty()) {
      waits_to_write_ = !waits_to_write_;
      epoll_event event = interest();
      epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event);
    }
  }

  void close() {
    if (closed()) return;
    ::close(fd_);
    fd_ = -1;
    ended();
  }

 private:
  epoll_event interest() {
    epoll_event event{};
    event.events = EPOLLIN | (waits_to_write_ ? EPOLLOUT : 0u);
    event.data.ptr = this;
    return event;
  }

  void read_in() {
    static uint8_t buffer[256 * 1024];
    while (!closed()) {
      ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      if (n > 0) {
        connected_ = true;
        received(buffer, static_cast<size_t>(n));
        if (static_cast<size_t>(n) < sizeof buffer) return;  // Saves the call that would say EAGAIN.
      } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
      } else {
        if (n < 0) error_ = errno;
        if (!connected_) cannot_connect(error_);
        close();
      }
    }
  }

  [[noreturn]] void cannot_connect(int error) {
    fail("cannot connect to 127.0.0.1:" + std::to_string(port_) + ": " + std::strerror(error));
  }

  int epoll_, port_, fd_ = -1, error_ = 0;
  bool connected_ = false, waits_to_write_ = false;
  std::string out_;
  size_t written_ = 0;
};

template <class Kind>
void drop_closed(std::vector<std::unique_ptr<Kind>>& connections) {
  auto closed = [](const std::unique_ptr<Kind>& connection) { return connection->closed(); };
  connections.erase(std::remove_if(connections.begin(), connections.end(), closed), connections.end());
}
