// Requests over HTTP to Python, and its responses.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "transport.hpp"

namespace transport::python {

namespace nb = nanobind;
using namespace nb::literals;

using GivenHeaders = std::vector<std::pair<nb::bytes, nb::bytes>>;
using GivenResponse = std::tuple<int, GivenHeaders, nb::bytes>;  // status, headers, body
using Headers = nb::typed<nb::list, nb::typed<nb::tuple, nb::bytes, nb::bytes>>;

struct Request {
    std::uint64_t id;
    std::size_t listener;
    std::optional<std::size_t> method;
    std::string verb;
    nb::bytes target;
    std::string version;
    Headers headers;
    nb::bytes body;
    bool is_whole;
    std::pair<std::string, int> peer;
    bool is_encrypted;
    nb::bytes key;
    std::uint64_t caller, network;
    double arrived;
    std::optional<double> deadline;
};

struct Requests {
    nb::typed<nb::list, Request> requests;
    nb::typed<nb::list, nb::int_> over;
};

inline nb::bytes bytes_of(const std::string& text) { return nb::bytes(text.data(), text.size()); }

/// Copies what an application says. Raises ValueError for a header that would end before its end.
inline Response response_of(const GivenResponse& given) {
    const auto& [status, headers, body] = given;
    const auto text_of = [](const nb::bytes& from) {
        std::string text(from.c_str(), from.size());
        if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
            throw nb::value_error("a header holds the end of a line");
        return text;
    };
    Response response{status, {}, std::string(body.c_str(), body.size())};
    for (const auto& [name, value] : headers) response.headers.emplace_back(text_of(name), text_of(value));
    return response;
}

inline Request request_of(const HttpRequest& from) {
    Headers headers;
    for (const auto& [name, value] : from.headers) headers.append(nb::make_tuple(bytes_of(name), bytes_of(value)));
    return {from.id,           from.listener,     from.method,
            from.verb,         bytes_of(from.target), from.version,
            headers,           bytes_of(from.body), from.is_whole,
            {from.address, from.port}, from.is_encrypted, bytes_of(from.key_digest),
            from.caller,       from.network,  from.arrived,
            std::isinf(from.deadline) ? std::nullopt : std::optional(from.deadline)};
}

inline std::optional<Requests> take_requests(Transport& transport, std::size_t most) {
    std::optional<HttpRequests> taken;
    {
        const nb::gil_scoped_release release;
        taken = transport.take_requests(most);
    }
    if (!taken) return std::nullopt;
    Requests found;
    for (const HttpRequest& request : taken->requests) found.requests.append(request_of(request));
    for (const std::uint64_t id : taken->gone) found.over.append(id);
    return found;
}

inline bool respond(Transport& transport, std::uint64_t id, int status, const GivenHeaders& headers, const nb::bytes& body) {
    Response response = response_of({status, headers, body});
    const nb::gil_scoped_release release;
    return transport.respond(id, std::move(response));
}

inline void bind_requests(nb::module_& module) {
    nb::class_<Request>(module, "HttpRequest", "A request over HTTP, whole. Times are time.monotonic's.")
        .def_ro("id", &Request::id)
        .def_ro("listener", &Request::listener, "Its place among the listeners.")
        .def_ro("method", &Request::method, "Its place among the methods; None where it is none.")
        .def_ro("verb", &Request::verb, "GET, POST and the like.")
        .def_ro("target", &Request::target, "As it came, with its query.")
        .def_ro("version", &Request::version, "1.0, 1.1 or 2.")
        .def_ro("headers", &Request::headers, "Names in lower case, and values.")
        .def_ro("body", &Request::body, "As it came: what is compressed stays so.")
        .def_ro("is_whole", &Request::is_whole,
                "False where its body is announced or grown too large, or did not come in time: the connection ends.")
        .def_ro("peer", &Request::peer, "Address and port; an empty one where there is none.")
        .def_ro("is_encrypted", &Request::is_encrypted)
        .def_ro("key", &Request::key, "SHA-256 of its key; empty where none is known.")
        .def_ro("caller", &Request::caller, "Number of its connection, or of its key.")
        .def_ro("network", &Request::network, "Number of the network that its caller is in.")
        .def_ro("arrived", &Request::arrived, "Time at which it began to come.")
        .def_ro("deadline", &Request::deadline, "None where its caller waits for ever.");
    nb::class_<Requests>(module, "HttpRequests", "What was taken at once.")
        .def_ro("requests", &Requests::requests)
        .def_ro("over", &Requests::over, "Ids of requests taken before whose caller has left or was told that it is late.");
}

}  // namespace transport::python
