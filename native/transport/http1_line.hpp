// HTTP/1.1's request line, as strictly as it is written.
#pragma once

#include <cstddef>
#include <string_view>

namespace transport {

/// Checker of a request up to the end of its first line. llhttp accepts there what proxies may read differently: a line
/// feed alone before it, several spaces between its parts, a control character in its target, a protocol of another
/// name (RFC 9112, sections 2.2 and 3). What follows the protocol's name is left to llhttp.
class RequestLine {
public:
    /// Checks the next bytes, ignoring those after the line. Returns false if the line is invalid.
    bool look(std::string_view bytes) {
        for (const char c : bytes) {
            if (part_ == Part::over) break;
            if (!step(c)) return false;
        }
        return true;
    }

private:
    enum class Part { before, empty_line, method, target, protocol, version, over };
    static constexpr std::string_view name = "HTTP/";

    bool step(char c) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_visible = byte > ' ' && byte != 0x7f;
        switch (part_) {
            case Part::before: return c == '\r' ? goes_on(Part::empty_line) : is_visible && goes_on(Part::method);
            case Part::empty_line: return c == '\n' && goes_on(Part::before);
            case Part::method: return c == ' ' ? goes_on(Part::target) : is_visible;
            case Part::target:
                if (c == ' ' && size_ > 0) return goes_on(Part::protocol);
                ++size_;
                return is_visible;
            case Part::protocol:
                if (c != name[size_++]) return false;
                return size_ < name.size() || goes_on(Part::version);
            case Part::version: return c != '\n' || goes_on(Part::over);
            case Part::over: break;
        }
        return true;
    }

    bool goes_on(Part part) {
        part_ = part;
        size_ = 0;
        return true;
    }

    Part part_ = Part::before;
    std::size_t size_ = 0;  // of the target or of the protocol's name, as far as it came
};

}  // namespace transport
