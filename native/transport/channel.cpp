#include "channel.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <new>
#include <stdexcept>
#include <utility>

namespace transport {
namespace {

template <auto free>
struct Freeing {
    template <class T>
    void operator()(T* value) const {
        free(value);
    }
};
using Bio = std::unique_ptr<BIO, Freeing<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;

void check(bool holds, const char* what) {
    if (holds) return;
    const unsigned long error = ERR_get_error();
    const char* reason = error ? ERR_reason_error_string(error) : nullptr;
    ERR_clear_error();
    throw std::runtime_error(std::string(what) + (reason ? std::string(": ") + reason : ""));
}

Bio bio_of(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), int(text.size()))); }

Certificate next_certificate(BIO* from) { return Certificate(PEM_read_bio_X509(from, nullptr, nullptr, nullptr)); }

void use_chain(SSL_CTX* context, const std::string& pem) {
    const Bio bio = bio_of(pem);
    const Certificate first = next_certificate(bio.get());
    check(first && SSL_CTX_use_certificate(context, first.get()) == 1, "the certificate can't be used");
    while (Certificate next = next_certificate(bio.get()))
        check(SSL_CTX_add1_chain_cert(context, next.get()) == 1, "the certificate's chain can't be used");
    ERR_clear_error();  // the end of the chain is one
}

void trust(SSL_CTX* context, const std::string& pem) {
    const Bio bio = bio_of(pem);
    std::size_t count = 0;
    while (const Certificate next = next_certificate(bio.get())) {
        check(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get()) == 1, "the client CA can't be used");
        check(SSL_CTX_add_client_CA(context, next.get()) == 1, "the client CA can't be used");
        ++count;
    }
    ERR_clear_error();
    check(count > 0, "the client CA holds no certificate");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

// Protocols as ALPN has them: each after its length. gRPC's listeners speak the first one alone.
constexpr unsigned char protocols[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr unsigned size_of_h2 = 3;

/// Prefers HTTP/2, and refuses a caller that offers only unknown protocols. It is the only function that OpenSSL calls back.
int select_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned count,
                    void* is_http) noexcept {
    unsigned char* found = nullptr;
    const unsigned known = is_http ? sizeof protocols : size_of_h2;
    if (SSL_select_next_proto(&found, size, protocols, known, offered, count) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Tls::Tls(const std::string& certificate, const std::string& key, const std::string& client_ca, bool is_http)
    : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX* const context = context_.get();
    check(context != nullptr, "TLS can't be had");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);  // else one read goes on for as long as a peer sends new keys
    static bool does = true;
    SSL_CTX_set_alpn_select_cb(context, select_protocol, is_http ? &does : nullptr);
    // Sessions are resumed by tickets alone; with verified callers OpenSSL wants the context named.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    static constexpr unsigned char name[] = "bothends";
    SSL_CTX_set_session_id_context(context, name, sizeof name - 1);
    use_chain(context, certificate);
    const Bio bio = bio_of(key);
    const Key read(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    check(read && SSL_CTX_use_PrivateKey(context, read.get()) == 1, "the key can't be used");
    check(SSL_CTX_check_private_key(context) == 1, "the key isn't the certificate's");
    if (!client_ca.empty()) trust(context, client_ca);
}

Channel::Channel(Descriptor socket, const std::shared_ptr<Tls>& tls)
    : socket_(std::make_shared<Descriptor>(std::move(socket))), tls_(tls) {
    if (!tls_) return;
    ssl_.reset(SSL_new(tls_->get()));
    if (!ssl_ || SSL_set_fd(ssl_.get(), socket_->get()) != 1) throw std::bad_alloc();
    SSL_set_accept_state(ssl_.get());
}

bool Channel::is_ready() const { return !ssl_ || SSL_is_init_finished(ssl_.get()); }

Channel::Result Channel::read_from(const Descriptor& socket, std::span<std::uint8_t> room, std::size_t& count) {
    const ssize_t got = ::recv(socket.get(), room.data(), room.size(), 0);
    count = got > 0 ? std::size_t(got) : 0;
    if (got > 0) return Result::some;
    if (got == 0) return Result::closed;
    return errno == EAGAIN || errno == EINTR ? Result::later : Result::ended;
}

Channel::Result Channel::read(std::span<std::uint8_t> room, std::size_t& count) {
    if (!ssl_) return read_from(*socket_, room, count);
    wants_to_write_ = false;
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), room.data(), int(room.size()));
    count = got > 0 ? std::size_t(got) : 0;
    return got > 0 ? Result::some : failed(got);
}

Channel::Result Channel::write_to(const Descriptor& socket, std::span<const char> bytes, std::size_t& count) {
    const ssize_t put = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    count = put > 0 ? std::size_t(put) : 0;
    if (put >= 0) return Result::some;
    return errno == EAGAIN || errno == EINTR ? Result::later : Result::ended;
}

Channel::Result Channel::write(std::span<const char> bytes, std::size_t& count) {
    if (!ssl_) {
        const Result result = write_to(*socket_, bytes, count);
        wrote(result);
        return result;
    }
    wants_to_write_ = false;
    ERR_clear_error();
    const auto most = std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max());
    const int put = SSL_write(ssl_.get(), bytes.data(), int(most));
    count = put > 0 ? std::size_t(put) : 0;
    return put > 0 ? Result::some : failed(put);
}

/// Tells "not ready" from an error. During a handshake a write may wait for the peer: then room in the socket says
/// nothing.
Channel::Result Channel::failed(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    wants_to_write_ = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_ZERO_RETURN) return Result::closed;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? Result::later : Result::ended;
}

void Channel::close_write() {
    if (ssl_ && is_ready()) SSL_shutdown(ssl_.get());
    ::shutdown(socket_->get(), SHUT_WR);
}

}  // namespace transport
