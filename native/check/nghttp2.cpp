// Tells by its exit status whether an nghttp2 reads nothing more of a session that has ended. One that does aborts the process at the
// next frame of a wrong size (CVE-2026-27135). Distributions mend older releases, so a version's number says little: CMake runs this.
#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string_view>

int main() {
    using namespace std::string_view_literals;
    constexpr std::string_view sent =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        "\0\0\0\4\0\0\0\0\0"  // SETTINGS
        "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1h"  // HEADERS of a request
        "\0\0\1\0\0\0\0\0\1x"  // DATA, by which it ends
        "\0\0\0\3\0\0\0\0\1"sv;  // RST_STREAM without its four bytes
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session* session, std::uint8_t, std::int32_t, const std::uint8_t*, std::size_t, void*) {
            return nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
        });
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new(&session, callbacks, nullptr);
    const auto read =
        nghttp2_session_mem_recv2(session, reinterpret_cast<const std::uint8_t*>(sent.data()), sent.size());
    return read == nghttp2_ssize(sent.size()) ? 0 : 1;
}
