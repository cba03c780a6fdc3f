// What Python says before a transport starts: limits, methods, listeners, and what is said to whom is refused.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding_requests.hpp"
#include "binding_results.hpp"
#include "transport.hpp"

namespace transport::python {

namespace nb = nanobind;
using namespace nb::literals;

/// Makes limits of what is given by name; TypeError where there is no such limit.
inline void construct_limits(Limits* self, const nb::kwargs& given) {
    new (self) Limits;
    std::size_t known = 0;
#define TRANSPORT_GIVEN(type, name, value, words) \
    if (given.contains(#name)) self->name = nb::cast<type>(given[#name]), ++known;
    TRANSPORT_SETTINGS(TRANSPORT_GIVEN)
    TRANSPORT_CONSTANTS(TRANSPORT_GIVEN)
#undef TRANSPORT_GIVEN
    if (known != given.size()) throw nb::type_error("there is no such limit");
}

/// Reads limits off the server's settings, or whatever else has those names.
inline Limits limits_of(nb::handle from) {
    if (nb::isinstance<Limits>(from)) return nb::cast<Limits>(from);
    Limits limits;
#define TRANSPORT_READ(type, name, value, words) limits.name = nb::cast<type>(from.attr(#name));
    TRANSPORT_SETTINGS(TRANSPORT_READ)
#undef TRANSPORT_READ
    return limits;
}

inline void construct(Transport* self, const std::vector<Listener>& listeners, const std::vector<Method>& methods,
               const std::vector<std::string>& headers, const std::vector<std::string>& health,
               const std::map<Refusal, GivenStatus>& statuses, nb::handle limits, double most_wait,
               const std::vector<std::map<Refusal, GivenResponse>>& responses, const std::optional<Hosts>& hosts,
               const std::vector<std::pair<nb::bytes, std::size_t>>& proxies) {
    Settings settings;
    settings.limits = limits_of(limits);
    settings.most_wait = most_wait;
    settings.headers = headers;
    settings.health_services = health;
    settings.methods = methods;
    settings.hosts = hosts;
    std::vector<AddressRange> ranges;
    for (const auto& [address, bits] : proxies) {
        ranges.push_back({std::string(address.c_str(), address.size()), bits});
        if ((address.size() != 4 && address.size() != 16) || bits > 8 * address.size()) throw nb::value_error("a proxy has no such address");
    }
    settings.proxies = Proxies(std::move(ranges));
    for (const auto& [refusal, status] : statuses) settings.statuses[std::size_t(refusal)] = status_of(status);
    settings.responses.resize(std::max(settings.responses.size(), responses.size()));
    for (std::size_t words = 0; words < responses.size(); ++words)
        for (const auto& [refusal, response] : responses[words])
            settings.responses[words][std::size_t(refusal)] = response_of(response);
    for (const Method& method : methods)
        if (method.words >= settings.responses.size()) throw nb::value_error("a method has no responses");
#define TRANSPORT_ASKED(name, words) \
    if (!statuses.contains(Refusal::name)) throw nb::value_error("there is no status for " #name);
    TRANSPORT_REFUSALS(TRANSPORT_ASKED)
#undef TRANSPORT_ASKED
    const bool has_http = std::any_of(listeners.begin(), listeners.end(), [](const Listener& each) { return each.is_http; });
    if (has_http && responses.empty()) throw nb::value_error("HTTP has no responses");
    for (const auto& each : responses)
        for (const Refusal refusal : http_refusals)
            if (has_http && !each.contains(refusal)) throw nb::value_error("a refusal of HTTP's has no response");
    new (self) Transport(std::move(settings), listeners);
}

inline void construct_hosts(Hosts* self, const std::vector<std::string>& names, bool takes_addresses) {
    new (self) Hosts{{names.begin(), names.end()}, takes_addresses};
}

inline void bind_contract(nb::module_& module) {
    nb::class_<Limits> limits(
        module, "Limits", nb::sig("class Limits(typing.Protocol)"),
        "Bounds, which a transport reads off the server's settings. One that is made has defaults, and what is given "
        "by name.");
    limits.def("__init__", &construct_limits, "given"_a);
#define TRANSPORT_BIND(type, name, value, words) limits.def_ro(#name, &Limits::name, words);
    TRANSPORT_SETTINGS(TRANSPORT_BIND)
#undef TRANSPORT_BIND
    nb::enum_<Refusal> refusals(module, "Refusal", "Why a call is refused without Python.");
#define TRANSPORT_BIND(name, words) refusals.value(#name, Refusal::name, words);
    TRANSPORT_REFUSALS(TRANSPORT_BIND)
#undef TRANSPORT_BIND
    nb::class_<Method>(module, "Method", "A method that is offered, by its path /package.Service/Method.")
        .def(nb::init<std::string, bool, bool, bool, std::size_t>(), "path"_a, nb::kw_only(), "is_stream"_a = false,
             "is_metered"_a = true, "is_http"_a = false, "words"_a = 0,
             "Unmetered calls are answered in a full and in a stopping server, too, and taken before all others. Over "
             "HTTP it is what is POSTed to that path, or where it is unmetered a probe that is got; its calls are "
             "refused by those of the transport's `responses` that stand at `words`.");
    nb::class_<Listener>(module, "Listener", "A bound socket that listens and does not block, by its descriptor.")
        .def(nb::init<int, bool, bool, bool>(), "socket"_a, nb::kw_only(), "is_http"_a = false, "is_encrypted"_a = true,
             "is_for_probes"_a = false,
             "Speak gRPC there, or HTTP; by TLS once there are certificates, unless it is said that it is not encrypted. "
             "Where it is for probes, no method is called there.");
    nb::class_<Hosts>(module, "Hosts", "Hosts that plain calls over HTTP may ask for, beside the machine's own names.")
        .def("__init__", &construct_hosts, "names"_a, nb::kw_only(), "takes_addresses"_a,
             "Know `names`, in lower case, and every IP address where it `takes_addresses`.");
}

}  // namespace transport::python
