// Bytes of one connection, in the clear or by TLS.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "descriptor.hpp"

namespace transport {

/// TLS settings that a listener's connections share, made from PEM texts: a certificate chain, its key, and the
/// authority that signs callers' certificates. An empty `client_ca` asks for no client certificate. If `is_http`,
/// HTTP/1.1 is offered besides HTTP/2. The constructor throws std::runtime_error.
class Tls {
public:
    Tls(const std::string& certificate, const std::string& key, const std::string& client_ca, bool is_http);
    SSL_CTX* get() const { return context_.get(); }

private:
    struct Free {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    std::unique_ptr<SSL_CTX, Free> context_;
};

/// Non-blocking socket, with or without TLS.
class Channel {
public:
    enum class Result { some, later, closed, ended };  // closed: its peer says nothing more

    Channel(Descriptor socket, const std::shared_ptr<Tls>& tls);

    int socket() const { return socket_->get(); }

    /// Returns the socket, for whoever reads or writes it while the connection may end.
    const std::shared_ptr<const Descriptor>& shared_socket() const { return socket_; }

    /// Reads from a socket without TLS, as `read` does. Needs no lock.
    static Result read_from(const Descriptor& socket, std::span<std::uint8_t> room, std::size_t& count);

    /// Writes as much of `bytes` as fits to a socket without TLS. Needs no lock.
    static Result write_to(const Descriptor& socket, std::span<const char> bytes, std::size_t& count);
    bool is_ready() const;  // TLS has shaken hands
    bool is_encrypted() const { return ssl_ != nullptr; }

    /// Reads into `room`; sets `count` to the number of bytes if the result is `some`.
    Result read(std::span<std::uint8_t> room, std::size_t& count);

    /// Writes as much of `bytes` as fits; returns `later` with wants_to_write set if the socket is full.
    Result write(std::span<const char> bytes, std::size_t& count);
    bool wants_to_write() const { return wants_to_write_; }

    /// Notes what `write_to` has returned.
    void wrote(Result result) { wants_to_write_ = result == Result::later; }

    /// Declares that nothing more will be written; what the peer still sends may be read.
    void close_write();

private:
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };

    Result failed(int result);

    const std::shared_ptr<const Descriptor> socket_;
    std::shared_ptr<Tls> tls_;
    std::unique_ptr<SSL, Free> ssl_;
    bool wants_to_write_ = false;
};

}  // namespace transport
