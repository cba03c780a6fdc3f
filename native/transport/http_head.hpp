// The head of an HTTP request as it came, and what it says of hosts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace transport {

/// Hosts that callers may ask for. Who asks for another is for the application, which has the words.
struct Hosts {
    std::set<std::string> names;  // in lower case, without a dot at their end
    bool takes_addresses = false;

    /// Returns whether a Host header names one of them, this machine, or an address where those are taken.
    bool is_known(std::string_view host) const;
};

/// A request line and header fields, in one piece of memory.
class HttpHead {
public:
    using Field = std::pair<std::string_view, std::string_view>;

    std::string verb, target, version;

    /// Adds to the name of a field that has begun, in lower case.
    void add_name(std::string_view piece);
    void add_value(std::string_view piece) { text_.append(piece); }

    /// Begins the value of a field.
    void begin_value() { name_end_ = value_ = text_.size(); }

    /// Ends a field, of whose value the spaces at both ends are left out, and returns it as views.
    Field end_field();
    Field add(std::string_view name, std::string_view value);

    /// Gives the field of that name another value, or adds it.
    void set(std::string_view name, std::string_view value);

    std::vector<Field> fields() const;

    /// Returns how many bytes it takes, about.
    std::size_t size() const { return target.size() + text_.size() + fields_.size() * sizeof(Place); }

private:
    struct Place {
        std::uint32_t name, name_end, value, end;
    };
    Field field(const Place& index) const;

    std::string text_;
    std::vector<Place> fields_;
    std::size_t name_ = 0, name_end_ = 0, value_ = 0;  // of the field that has begun
};

/// What a target in absolute form says (RFC 9112, section 3.2.2), as views of it: who is asked, and for what.
struct AbsoluteTarget {
    std::string_view authority, rest;
};

/// Returns the parts of a target that begins with http:// or https://; nothing for any other.
std::optional<AbsoluteTarget> absolute_target(std::string_view target);

bool equals_ignoring_case(std::string_view one, std::string_view lower);

/// Returns whether a Content-Type is application/json, whatever its parameters.
bool is_json(std::string_view content_type);

/// Returns a number of seconds; nothing where it is none.
std::optional<double> seconds_of(std::string_view text);

/// Returns a target's path, with what is percent-encoded in it decoded, as routes are found by it. A request's target has no
/// fragment (RFC 9112, section 3.2): a # is of the path, as the application has it.
std::string path_of(std::string_view target);

}  // namespace transport
