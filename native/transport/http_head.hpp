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

/// Hosts that callers may address. Requests for other hosts are left to the application, which has the error text.
struct Hosts {
    std::set<std::string> names;  // in lower case, without a dot at their end
    bool takes_addresses = false;

    /// Returns whether a Host header names one of them, this machine, or an address if those are allowed.
    bool is_known(std::string_view host) const;
};

/// Request line and header fields, in one piece of memory.
class HttpHead {
public:
    using Field = std::pair<std::string_view, std::string_view>;

    std::string verb, target, version;

    /// Adds to the name of the current field, in lower case.
    void add_name(std::string_view piece);
    void add_value(std::string_view piece) { text_.append(piece); }

    /// Begins the value of the current field.
    void begin_value() { name_end_ = value_ = text_.size(); }

    /// Ends the current field, trims its value, and returns it as views.
    Field end_field();
    Field add(std::string_view name, std::string_view value);

    /// Sets the value of a field, or adds the field.
    void set(std::string_view name, std::string_view value);

    std::vector<Field> fields() const;

    /// Returns its approximate size in bytes.
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

/// Parts of a target in absolute form (RFC 9112, section 3.2.2), as views: authority and path.
struct AbsoluteTarget {
    std::string_view authority, rest;
};

/// Returns the parts of a target that starts with http:// or https://; none for any other.
std::optional<AbsoluteTarget> absolute_target(std::string_view target);

bool equals_ignoring_case(std::string_view one, std::string_view lower);

/// Returns whether a Content-Type is application/json, with any parameters.
bool is_json(std::string_view content_type);

/// Returns a number of seconds; none if it isn't a number.
std::optional<double> seconds_of(std::string_view text);

/// Returns the percent-decoded path of a target, for routing. A request's target has no fragment (RFC 9112, section
/// 3.2): a # is part of the path, as for the application.
std::string path_of(std::string_view target);

}  // namespace transport
