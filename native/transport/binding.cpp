// The Python module of the transport. A whole batch crosses at once; the GIL is free while the transport works.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "binding_fast_path.hpp"
#include "binding_results.hpp"
#include "transport.hpp"
#include "usage.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace transport {
namespace {

using Release = nb::call_guard<nb::gil_scoped_release>;
using python::GivenResponse;
using python::GivenStatus;
using python::response_of;
using python::status_of;
template <class T>
using Sequence = nb::typed<nb::sequence, T>;

constexpr double attention_s = 0.05;

/// Makes limits from keyword arguments. Throws TypeError for an unknown one.
void construct_limits(Limits* self, const nb::kwargs& given) {
    new (self) Limits;
    std::size_t known = 0;
#define TRANSPORT_GIVEN(type, name, value, words) \
    if (given.contains(#name)) self->name = nb::cast<type>(given[#name]), ++known;
    TRANSPORT_SETTINGS(TRANSPORT_GIVEN)
    TRANSPORT_CONSTANTS(TRANSPORT_GIVEN)
#undef TRANSPORT_GIVEN
    if (known != given.size()) throw nb::type_error("there is no such limit");
}

/// Reads limits from the attributes of an object, such as the server's settings.
Limits limits_of(nb::handle from) {
    if (nb::isinstance<Limits>(from)) return nb::cast<Limits>(from);
    Limits limits;
#define TRANSPORT_READ(type, name, value, words) limits.name = nb::cast<type>(from.attr(#name));
    TRANSPORT_SETTINGS(TRANSPORT_READ)
#undef TRANSPORT_READ
    return limits;
}

void construct(Transport* self, const std::vector<Listener>& listeners, const std::vector<Method>& methods,
               const std::vector<std::string>& headers, const std::vector<std::string>& health,
               const std::map<Refusal, GivenStatus>& statuses, nb::handle limits, double max_wait,
               const std::vector<std::map<Refusal, GivenResponse>>& responses, const std::map<int, int>& http_statuses,
               const std::optional<Hosts>& hosts, const std::vector<std::string>& origins,
               const std::vector<std::pair<nb::bytes, std::size_t>>& proxies) {
    TransportSettings settings;
    settings.limits = limits_of(limits);
    settings.max_wait = max_wait;
    settings.headers = headers;
    settings.health_services = health;
    settings.methods = methods;
    settings.http_statuses = http_statuses;
    settings.hosts = hosts;
    settings.origins = {origins.begin(), origins.end()};
    std::vector<AddressRange> ranges;
    for (const auto& [address, bits] : proxies) {
        ranges.push_back({std::string(address.c_str(), address.size()), bits});
        if ((address.size() != 4 && address.size() != 16) || bits > 8 * address.size())
            throw nb::value_error("a proxy has no such address");
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
    const bool has_http =
        std::any_of(listeners.begin(), listeners.end(), [](const Listener& each) { return each.is_http; });
    if (has_http && responses.empty()) throw nb::value_error("HTTP has no responses");
    for (const auto& each : responses)
        for (const Refusal refusal : http_refusals)
            if (has_http && !each.contains(refusal)) throw nb::value_error("a refusal of HTTP's has no response");
    new (self) Transport(std::move(settings), listeners);
}

void construct_hosts(Hosts* self, const std::vector<std::string>& names, bool takes_addresses) {
    new (self) Hosts{{names.begin(), names.end()}, takes_addresses};
}

std::optional<python::Batch> take_messages(Transport& transport, std::size_t max_messages, double wait_s,
                                           std::size_t max_bytes) {
    std::optional<Batch> batch;
    {
        const nb::gil_scoped_release release;
        batch = transport.take_messages({.messages = max_messages,
                                         .bytes = max_bytes,
                                         .small = max_messages,
                                         .small_bytes = max_bytes,
                                         .soon_s = never},
                                        wait_s);
        if (batch) transport.pass_on(*batch);
    }
    return python::batch_of(batch, transport, false);
}

void answer(Transport& transport, const Sequence<std::uint64_t>& ids, const Sequence<nb::bytes>& contents,
            const Sequence<double>& spent) {
    const std::size_t count = nb::len(ids);
    if (count != nb::len(contents)) throw nb::value_error("there must be as many contents as ids");
    const bool is_spent = nb::len(spent) > 0;
    if (is_spent && count != nb::len(spent)) throw nb::value_error("there must be as many seconds as ids, or none");
    Transport::Answers answers;
    answers.reserve(count);
    for (std::size_t index = 0; index < count; ++index) {
        const nb::bytes content = nb::cast<nb::bytes>(contents[index]);  // the sequence keeps it alive
        answers.push_back({.id = nb::cast<std::uint64_t>(ids[index]),
                           .content = std::string(content.c_str(), content.size()),
                           .spent = is_spent ? nb::cast<double>(spent[index]) : 0});
    }
    const nb::gil_scoped_release release;
    transport.answer(answers);
}

void fail(Transport& transport, const Sequence<std::uint64_t>& ids, const std::vector<GivenStatus>& statuses) {
    if (nb::len(ids) != statuses.size()) throw nb::value_error("there must be as many statuses as ids");
    Transport::Failures failures;
    for (std::size_t index = 0; index < statuses.size(); ++index)
        failures.emplace_back(nb::cast<std::uint64_t>(ids[index]), status_of(statuses[index]));
    const nb::gil_scoped_release release;
    transport.fail(failures);
}

std::optional<python::Requests> take_requests(Transport& transport, std::size_t max_requests) {
    std::optional<HttpRequests> taken;
    {
        const nb::gil_scoped_release release;
        taken = transport.take_requests(max_requests);
    }
    if (!taken) return std::nullopt;
    python::Requests found;
    for (const HttpRequest& request : taken->requests) found.requests.append(python::request_of(request));
    for (const std::uint64_t id : taken->gone) found.over.append(id);
    return found;
}

bool respond(Transport& transport, std::uint64_t id, int status, const python::GivenHeaders& headers,
             const nb::bytes& body, double spent) {
    Response response = response_of({status, headers, body});
    const nb::gil_scoped_release release;
    return transport.respond(id, std::move(response), spent);
}

nb::typed<nb::list, python::Ended> ended(Transport& transport) {
    std::vector<Ended> calls;
    {
        const nb::gil_scoped_release release;
        calls = transport.ended();
    }
    return python::ended_of(calls);
}

nb::typed<nb::list, Event> events(Transport& transport, bool are_new) {
    std::vector<Event> found;
    {
        const nb::gil_scoped_release release;
        found = transport.events(are_new);
    }
    nb::list named;
    for (const Event& event : found) named.append(event);
    return named;
}

/// Waits in short pieces, since a signal handler runs in Python's main thread, and a second SIGTERM must end the
/// process at once.
bool wait_idle(Transport& transport, double timeout_s) {
    for (const double end = now() + timeout_s;;) {
        {
            const nb::gil_scoped_release release;
            if (transport.wait_idle(std::min(end - now(), attention_s))) return true;
        }
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
        if (now() >= end) return false;
    }
}

void set_certificates(Transport& transport, const nb::bytes& certificate, const nb::bytes& key,
                      const std::optional<nb::bytes>& client_ca) {
    const auto text = [](const nb::bytes& bytes) { return std::string(bytes.c_str(), bytes.size()); };
    const std::string chain = text(certificate), secret = text(key), ca = client_ca ? text(*client_ca) : "";
    const nb::gil_scoped_release release;
    transport.set_certificates(chain, secret, ca);
}

void set_keys(Transport& transport, const std::optional<nb::mapping>& given) {
    std::optional<Keys> keys;
    if (given) {
        keys.emplace();
        for (const auto item : given->items()) {
            const auto digest = nb::cast<nb::bytes>(item[0]);
            keys->emplace(std::string(digest.c_str(), digest.size()), nb::cast<std::shared_ptr<Usage>>(item[1]));
        }
    }
    const nb::gil_scoped_release release;
    transport.set_keys(std::move(keys));
}

nb::typed<nb::dict, nb::str, nb::float_> figures(Transport& transport) {
    Figures figures;
    {
        const nb::gil_scoped_release release;
        figures = transport.figures();
    }
    nb::dict named;
#define TRANSPORT_NAMED(name, words) named[#name] = figures.name;
    TRANSPORT_FIGURES(TRANSPORT_NAMED)
#undef TRANSPORT_NAMED
    return named;
}

std::tuple<std::size_t, std::size_t, std::size_t> sliced(Transport& transport) {
    const nb::gil_scoped_release release;
    const auto [requests, sentences, tokens] = transport.sliced();
    return {requests, sentences, tokens};
}

nb::typed<nb::dict, nb::str, nb::float_> bounds(const Transport& transport) {
    const Limits& limits = transport.settings().limits;
    nb::dict named;
#define TRANSPORT_NAMED(figure, limit) named[#figure] = double(limits.limit);
    TRANSPORT_BOUNDED(TRANSPORT_NAMED)
#undef TRANSPORT_NAMED
    return named;
}

void bind_contract(nb::module_& module) {
    nb::class_<Limits> limits(
        module, "Limits", nb::sig("class Limits(typing.Protocol)"),
        "Limits of a transport, which it reads from the server's settings. A new one has defaults, and what is given "
        "by name.");
    limits.def("__init__", &construct_limits, "given"_a, nb::sig("def __init__(self, **given: float) -> None"));
#define TRANSPORT_BIND(type, name, value, words) limits.def_ro(#name, &Limits::name, words);
    TRANSPORT_SETTINGS(TRANSPORT_BIND)
#undef TRANSPORT_BIND
    nb::enum_<Refusal> refusals(module, "Refusal", "Reason for which the transport refuses a call without Python.");
#define TRANSPORT_BIND(name, words) refusals.value(#name, Refusal::name, words);
    TRANSPORT_REFUSALS(TRANSPORT_BIND)
#undef TRANSPORT_BIND
    nb::class_<Method>(module, "Method", "Method that is offered, by its path /package.Service/Method.")
        .def(nb::init<std::string, bool, bool, bool, std::size_t, bool>(), "path"_a, nb::kw_only(),
             "is_stream"_a = false, "is_metered"_a = true, "is_http"_a = false, "words"_a = 0,
             "reads_any_type"_a = false,
             "Unmetered calls are answered in a full and in a stopping server, too, and taken before all others. Over "
             "HTTP it is what is POSTed to that path, or where it is unmetered a probe that is got; its calls are "
             "refused by those of the transport's `responses` that stand at `words`, and `reads_any_type` has bodies "
             "read as JSON whatever their content-type is.");
    nb::class_<Listener>(module, "Listener", "Bound, non-blocking socket that listens, by its descriptor.")
        .def(nb::init<int, bool, bool, bool>(), "socket"_a, nb::kw_only(), "is_http"_a = false, "is_encrypted"_a = true,
             "is_for_probes"_a = false,
             "Speak gRPC there, or HTTP; by TLS once there are certificates, unless it is said that it is not "
             "encrypted. "
             "Where it is for probes, no method is called there.");
    nb::class_<Hosts>(module, "Hosts",
                      "Hosts that plain HTTP calls may address, in addition to the machine's own names.")
        .def("__init__", &construct_hosts, "names"_a, nb::kw_only(), "takes_addresses"_a,
             "Accept `names`, in lower case, and if `takes_addresses` every IP address.");
}

/// Binds the count of a key's quota. Its lock is taken with the GIL held: no holder waits for anything else.
void bind_usage(nb::module_& module) {
    nb::enum_<Excess>(module, "Excess", "Reason for which a quota is exceeded.")
        .value("too_many", Excess::too_many, "The request has more sentences than the key may ever have in progress.")
        .value("over_concurrency", Excess::over_concurrency, "The key has too many sentences in progress.")
        .value("over_rate", Excess::over_rate, "The key is over its sentences a second.");
    nb::class_<Denial>(module, "Denial", "Refusal because a quota is exceeded.")
        .def_ro("reason", &Denial::reason)
        .def_ro("limit", &Denial::limit, "Limit of the key that would be exceeded.")
        .def_ro("in_progress", &Denial::in_progress, "Number of the key's sentences in progress.")
        .def_ro("after_s", &Denial::after_s, "Seconds after which a new try makes sense; 0 if it never does.");
    nb::class_<Usage>(module, "Usage",
                      "Count of one key's sentences over all protocols. None is no limit. `now` is a time of "
                      "time.monotonic. Every method may be called by any thread.")
        .def(nb::init<std::optional<double>, std::optional<std::int64_t>, double>(), "sentences_per_s"_a.none(),
             "concurrent_sentences"_a.none(), "now"_a)
        .def("set_limits", &Usage::set_limits, "sentences_per_s"_a.none(), "concurrent_sentences"_a.none(),
             "Replace the limits. Sentences in progress, and what is saved or owed, stay as they are.")
        .def("take", &Usage::take, "sentences"_a, "extra"_a, "now"_a,
             "Start `sentences` sentences; `extra` is what long ones add to the count of sentences a second. Returns "
             "None, or "
             "the reason for a refusal.")
        .def("check", &Usage::check, "ahead"_a, "now"_a,
             "Return the refusal that would apply after `ahead` more sentences; None if there would be none.")
        .def("pay", &Usage::pay, "sentences"_a,
             "Charge a failed request as this many sentences. The debt never exceeds that of one such request.")
        .def("give_back", &Usage::give_back, "sentences"_a, "extra"_a, "unserved"_a,
             "End `sentences` sentences: they are done, or `unserved`, which means that they do not count.")
        .def_prop_ro("in_progress", &Usage::in_progress, "Number of sentences in progress.");
}

NB_MODULE(_transport, module) {
    nb::set_leak_warnings(false);  // a process may end while a server serves
    bind_contract(module);
    python::bind_results(module);
    python::bind_events(module);
    bind_usage(module);
    python::bind_path(module);
    python::bind_requests(module);
    nb::class_<Transport>(module, "Transport",
                          "Server of gRPC and HTTP on listening sockets. Every method may be called by any thread.")
        .def(
            "__init__", &construct, "listeners"_a, "methods"_a, nb::kw_only(), "headers"_a, "health"_a, "statuses"_a,
            "limits"_a, "max_wait"_a, "responses"_a = std::vector<std::map<Refusal, GivenResponse>>(),
            "http_statuses"_a = std::map<int, int>(), "hosts"_a = nb::none(), "origins"_a = std::vector<std::string>(),
            "proxies"_a = std::vector<std::pair<nb::bytes, std::size_t>>(),
            nb::sig(
                "def __init__(self, listeners: collections.abc.Sequence[Listener], methods: "
                "collections.abc.Sequence[Method], *, headers: collections.abc.Sequence[str], health: "
                "collections.abc.Sequence[str], statuses: collections.abc.Mapping[Refusal, tuple[int, str, "
                "bytes]], limits: Limits, max_wait: float, responses: collections.abc.Sequence[collections.abc.Mapping["
                "Refusal, tuple[int, collections.abc.Sequence[tuple[bytes, bytes]], bytes]]] = [], http_statuses: "
                "collections.abc.Mapping[int, int] = {}, hosts: Hosts | None = None, origins: "
                "collections.abc.Sequence[str] = [], proxies: "
                "collections.abc.Sequence[tuple[bytes, int]] = []) -> None"),
            "Configure a transport, without accepting connections yet. The sockets of `listeners` are "
            "the transport's from now on. `headers` names those that messages carry, `health` the "
            "services that grpc.health.v1 knows. A status is a code, a message and a serialised google.rpc.Status; "
            "each refusal has one. A call that would wait for more than `max_wait` of its time is refused. Raises "
            "ValueError where a status is missing. Where a listener speaks HTTP, `responses` has status, headers and "
            "body of each refusal there, in the words of each API, `http_statuses` the status of gRPC's codes (of "
            "others it is "
            "500), and a call that asks for none of `hosts`, if there "
            "are any, is the application's. Pages of `origins` may read refusals; * is all pages. `proxies` are "
            "believed when they say by `forwarded` or `x-forwarded-for` "
            "in whose name "
            "they call: addresses of 4 or 16 bytes, and how many of their bits count.")
        .def("start", &Transport::start, Release(), "Accept connections.")
        .def("take_messages", &take_messages, "max_messages"_a, "wait_s"_a, "max_bytes"_a = std::size_t(1) << 22,
             "Wait up to `wait_s`, without the GIL, for messages, and return at most `max_messages` of them, in fair "
             "order of callers; of more than `max_bytes`, one alone. None once stopped.")
        .def("wake", &Transport::wake_one, Release(),
             "Make one `take_messages` return early: one that waits now, or otherwise the next one.")
        .def("stands_still", &Transport::stands_still,
             "Return whether something has waited for a while of which no thread takes anything, since all are kept by "
             "what they run.")
        .def("answer", &answer, "ids"_a, "contents"_a, "spent"_a = nb::tuple(),
             "Answer messages: a unary call ends OK, a stream continues. Ids of messages that have ended are ignored. "
             "Callers are charged with what was `spent` on each, in seconds of a core, as by `charge`.")
        .def("fail", &fail, "ids"_a, "statuses"_a,
             "End calls with a status; a stream ends after its earlier messages are answered.")
        .def("charge", &Transport::charge, "id"_a, "seconds"_a, Release(),
             "Charge the caller of a message, or request, that was taken and isn't answered yet with `seconds` of a "
             "core, the first time instead of what was estimated; what it asks for next has its turn later.")
        .def("take_requests", &take_requests, "max_requests"_a = std::size_t(64),
             "Return HTTP requests that have arrived for the application, at most `max_requests`; None once stopped. "
             "Never waits.")
        .def("requests_descriptor", &Transport::requests_descriptor,
             "Return an eventfd that is readable while `take_requests` has something to return. It is the transport's.")
        .def("respond", &respond, "id"_a, "status"_a, "headers"_a, "body"_a, "spent"_a = 0.0,
             "Answer a request over HTTP, and charge its caller as by `charge`; False where its caller had left. "
             "Content-length, date, connection and "
             "x-content-type-options are added; names of headers are in lower case. Raises ValueError for one that "
             "holds a line's end.")
        .def("ended", &ended, "Return the calls that ended without Python since the last look.")
        .def("events", &events, nb::kw_only(), "are_new"_a = false,
             "Return the last that was decided about connections and calls beside answering them, the latest last; "
             "of that, where they `are_new`, what is new since the last time.")
        .def("set_serving", &Transport::set_serving, "serving"_a, "services"_a = nb::none(), Release(),
             "Set the health (grpc.health.v1) of these services, or with None of all.")
        .def("drain", &Transport::drain, Release(),
             "Report NOT_SERVING from now on, refuse new calls, and end each stream after the messages that were read "
             "are answered.")
        .def("quiet_s", &Transport::quiet_s, Release(), "Return the seconds since a metered call last began.")
        .def("wait_idle", &wait_idle, "timeout_s"_a,
             "Wait until no call is open and every byte is sent; return whether that happened within `timeout_s` "
             "seconds.")
        .def("stop", &Transport::stop, "grace_s"_a, Release(),
             "Announce the end, wait at most `grace_s` seconds for the last bytes, and close.")
        .def("set_traced", &Transport::set_traced, "traced"_a, Release(),
             "Say whether spans are kept of calls: then fast paths leave those to Python whose callers do not say that "
             "they keep none.")
        .def("set_keys", &set_keys, "keys"_a.none(),
             nb::sig("def set_keys(self, keys: collections.abc.Mapping[bytes, object] | None) -> None"),
             "Refuse calls without `authorization: Bearer KEY` of a key with one of these SHA-256; None for no key. "
             "Who holds a key has its turns by whatever connections. A key's value is the Usage that counts its share, "
             "or None. Raises TypeError for any other.")
        .def("set_certificates", &set_certificates, "certificate"_a, "key"_a, "client_ca"_a.none(),
             "Use another certificate, in PEM, for new connections.")
        .def("sliced", &sliced,
             "Return about how many requests, sentences and tokens of long requests wait for fast paths.")
        .def("figures", &figures, "Return the transport's measurements by name.")
        .def("bounds", &bounds, "Return the limits of those measurements that have one.");
}

}  // namespace
}  // namespace transport
