#include "http_head.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace transport {
namespace {

constexpr std::string_view spaces = " \t";

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 'a' - 'A') : c; }

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(spaces), text.size()));
    return text.substr(0, text.find_last_not_of(spaces) + 1);
}

bool is_address(const std::string& name) {
    in6_addr address;
    return inet_pton(AF_INET, name.c_str(), &address) == 1 || inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

bool is_loopback(const std::string& name) {
    in_addr four;
    if (inet_pton(AF_INET, name.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    return name == "localhost" || name == "::1";
}

/// Returns the name in a Host header in lower case, without port, brackets and final dot; empty if it is invalid.
std::string name_of(std::string_view host) {
    const bool is_bracketed = host.starts_with('[');
    const std::size_t end = is_bracketed ? host.find(']') : std::min(host.find(':'), host.size());
    if (end == std::string_view::npos) return {};
    const std::string_view port = host.substr(end + is_bracketed);
    const bool has_port =
        port.starts_with(':') && std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!port.empty() && !has_port) return {};
    std::string name(host.substr(is_bracketed, end - is_bracketed));
    std::transform(name.begin(), name.end(), name.begin(), lower);
    if (name.ends_with('.')) name.pop_back();
    return name;
}

int digit(char c) {
    const char small = lower(c);
    return c >= '0' && c <= '9' ? c - '0' : small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

}  // namespace

bool equals_ignoring_case(std::string_view one, std::string_view small) {
    return std::equal(one.begin(), one.end(), small.begin(), small.end(), [](char a, char b) { return lower(a) == b; });
}

bool Hosts::is_known(std::string_view host) const {
    const std::string name = name_of(host);
    return is_loopback(name) || name.ends_with(".localhost") || names.contains(name) ||
           (takes_addresses && is_address(name));
}

void HttpHead::add_name(std::string_view piece) {
    const std::size_t before = text_.size();
    text_.append(piece);
    std::transform(text_.begin() + std::ptrdiff_t(before), text_.end(), text_.begin() + std::ptrdiff_t(before), lower);
}

HttpHead::Field HttpHead::end_field() {
    std::size_t end = text_.size();
    while (end > value_ && spaces.find(text_[end - 1]) != std::string_view::npos) --end;
    while (value_ < end && spaces.find(text_[value_]) != std::string_view::npos) ++value_;
    text_.resize(end);
    fields_.push_back({std::uint32_t(name_), std::uint32_t(name_end_), std::uint32_t(value_), std::uint32_t(end)});
    name_ = text_.size();
    return field(fields_.back());
}

HttpHead::Field HttpHead::field(const Place& index) const {
    const std::string_view text = text_;
    return {text.substr(index.name, index.name_end - index.name), text.substr(index.value, index.end - index.value)};
}

HttpHead::Field HttpHead::add(std::string_view name, std::string_view value) {
    add_name(name);
    begin_value();
    add_value(value);
    return end_field();
}

void HttpHead::set(std::string_view name, std::string_view value) {
    const auto is_it = [&](const Place& index) { return field(index).first == name; };
    const auto index = std::size_t(std::find_if(fields_.begin(), fields_.end(), is_it) - fields_.begin());
    add(name, value);
    if (index + 1 == fields_.size()) return;  // there was none
    fields_[index] = fields_.back();
    fields_.pop_back();
}

std::vector<HttpHead::Field> HttpHead::fields() const {
    std::vector<Field> found;
    found.reserve(fields_.size());
    for (const Place& index : fields_) found.push_back(field(index));
    return found;
}

std::optional<AbsoluteTarget> absolute_target(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        target.remove_prefix(scheme.size());
        const std::string_view authority = target.substr(0, target.find_first_of("/?#"));
        return AbsoluteTarget{authority, target.substr(authority.size())};
    }
    return std::nullopt;
}

bool is_json(std::string_view content_type) {
    return equals_ignoring_case(trimmed(content_type.substr(0, content_type.find(';'))), "application/json");
}

std::optional<double> seconds_of(std::string_view text) {
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool is_whole = error == std::errc() && end == text.data() + text.size() && std::isfinite(seconds);
    return is_whole ? std::optional(seconds) : std::nullopt;
}

std::string path_of(std::string_view target) {
    const std::string_view path = target.substr(0, target.find('?'));
    std::string decoded;
    for (std::size_t index = 0; index < path.size(); ++index) {
        const bool is_encoded =
            path[index] == '%' && index + 2 < path.size() && digit(path[index + 1]) >= 0 && digit(path[index + 2]) >= 0;
        decoded += is_encoded ? char(digit(path[index + 1]) << 4 | digit(path[index + 2])) : path[index];
        if (is_encoded) index += 2;
    }
    return decoded;
}

}  // namespace transport
