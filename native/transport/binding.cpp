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

/// Makes limits of what is given by name; TypeError where there is no such limit.
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

/// Reads limits off the server's settings, or whatever else has those names.
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
               const std::optional<Hosts>& hosts, const std::vector<std::pair<nb::bytes, std::size_t>>& proxies) {
    Settings settings;
    settings.limits = limits_of(limits);
    settings.max_wait = max_wait;
    settings.headers = headers;
    settings.health_services = health;
    settings.methods = methods;
    settings.http_statuses = http_statuses;
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

void construct_hosts(Hosts* self, const std::vector<std::string>& names, bool takes_addresses) {
    new (self) Hosts{{names.begin(), names.end()}, takes_addresses};
}

std::optional<python::Batch> take_messages(Transport& transport, std::size_t most, double wait_s, double queue_s,
                                           std::size_t max_bytes, bool takes_long) {
    std::optional<Batch> batch;
    {
        const nb::gil_scoped_release release;
        batch = transport.take_messages({.messages = most, .bytes = max_bytes, .small = most, .small_bytes = max_bytes, .takes_long = takes_long, .soon_s = never},
                                       wait_s, now() + queue_s);
        if (batch) transport.pass_on(*batch);
    }
    return python::batch_of(batch, transport, false);
}

void answer(Transport& transport, const Sequence<std::uint64_t>& ids, const Sequence<nb::bytes>& contents) {
    const std::size_t count = nb::len(ids);
    if (count != nb::len(contents)) throw nb::value_error("there must be as many contents as ids");
    Transport::Answers answers;
    answers.reserve(count);
    for (std::size_t index = 0; index < count; ++index) {
        const nb::bytes content = nb::cast<nb::bytes>(contents[index]);  // the sequence keeps it alive
        answers.push_back({nb::cast<std::uint64_t>(ids[index]), std::string(content.c_str(), content.size())});
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

std::optional<python::Requests> take_requests(Transport& transport, std::size_t most) {
    std::optional<HttpRequests> taken;
    {
        const nb::gil_scoped_release release;
        taken = transport.take_requests(most);
    }
    if (!taken) return std::nullopt;
    python::Requests found;
    for (const HttpRequest& request : taken->requests) found.requests.append(python::request_of(request));
    for (const std::uint64_t id : taken->gone) found.over.append(id);
    return found;
}

bool respond(Transport& transport, std::uint64_t id, int status, const python::GivenHeaders& headers, const nb::bytes& body) {
    Response response = response_of({status, headers, body});
    const nb::gil_scoped_release release;
    return transport.respond(id, std::move(response));
}

nb::typed<nb::list, python::Ended> ended(Transport& transport) {
    std::vector<Ended> calls;
    {
        const nb::gil_scoped_release release;
        calls = transport.ended();
    }
    return python::ended_of(calls);
}

/// Waits in pieces: a signal's handler runs in Python's main thread, and a second SIGTERM is to end the process at
/// once.
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

/// Binds the count of a key's share. Its lock is taken with the GIL: whoever has it wants nothing else, for a moment.
void bind_usage(nb::module_& module) {
    nb::enum_<Excess>(module, "Excess", "Why a share is denied.")
        .value("too_many", Excess::too_many, "More sentences than the key may ever have at once.")
        .value("over_concurrency", Excess::over_concurrency, "As many as it may have at once are in progress.")
        .value("over_rate", Excess::over_rate, "The key has had its sentences of this second.");
    nb::class_<Denial>(module, "Denial", "That a share is denied.")
        .def_ro("reason", &Denial::reason)
        .def_ro("limit", &Denial::limit, "Limit of the key, which would be exceeded.")
        .def_ro("in_progress", &Denial::in_progress, "Number of the key's sentences that are begun and not done.")
        .def_ro("after_s", &Denial::after_s, "Seconds after which it makes sense to ask again; 0 where it never does.");
    nb::class_<Usage>(module, "Usage",
                      "The count of one key's sentences, by whatever door they come. None is no limit. `now` is a time of "
                      "time.monotonic. Every method may be called by any thread.")
        .def(nb::init<std::optional<double>, std::optional<std::int64_t>, double>(), "sentences_per_s"_a.none(),
             "concurrent_sentences"_a.none(), "now"_a)
        .def("set_limits", &Usage::set_limits, "sentences_per_s"_a.none(), "concurrent_sentences"_a.none(),
             "Replace the limits. What is in progress, saved or owed stays.")
        .def("take", &Usage::take, "sentences"_a, "extra"_a, "now"_a,
             "Begin so many sentences, of which long ones count `extra` times more in a second's share; return why not, "
             "where that is denied.")
        .def("check", &Usage::check, "ahead"_a, "now"_a,
             "Return why a share would be denied once `ahead` sentences have theirs; None where it wouldn't.")
        .def("pay", &Usage::pay, "sentences"_a,
             "Take so many of the share for a request that was none. However many come, the debt is no larger than one.")
        .def("give_back", &Usage::give_back, "sentences"_a, "extra"_a, "unserved"_a,
             "End so many: they are done, or, `unserved`, do not count.")
        .def_prop_ro("in_progress", &Usage::in_progress, "Number of sentences begun and not done.");
}

NB_MODULE(_transport, module) {
    nb::set_leak_warnings(false);  // a process may end while a server serves
    bind_contract(module);
    python::bind_results(module);
    bind_usage(module);
    python::bind_path(module);
    python::bind_requests(module);
    nb::class_<Transport>(
        module, "Transport",
        "Listening sockets, and the calls that come by them. Every method may be called by any thread.")
        .def("__init__", &construct, "listeners"_a, "methods"_a, nb::kw_only(), "headers"_a, "health"_a, "statuses"_a,
             "limits"_a, "max_wait"_a, "responses"_a = std::vector<std::map<Refusal, GivenResponse>>(),
             "http_statuses"_a = std::map<int, int>(), "hosts"_a = nb::none(),
             "proxies"_a = std::vector<std::pair<nb::bytes, std::size_t>>(),
             nb::sig("def __init__(self, listeners: collections.abc.Sequence[Listener], methods: "
                     "collections.abc.Sequence[Method], *, headers: collections.abc.Sequence[str], health: "
                     "collections.abc.Sequence[str], statuses: collections.abc.Mapping[Refusal, tuple[int, str, "
                     "bytes]], limits: Limits, max_wait: float, responses: collections.abc.Sequence[collections.abc.Mapping["
                     "Refusal, tuple[int, collections.abc.Sequence[tuple[bytes, bytes]], bytes]]] = [], http_statuses: "
                     "collections.abc.Mapping[int, int] = {}, hosts: Hosts | None = None, proxies: collections.abc.Sequence[tuple[bytes, int]] = []) -> None"),
             "Know what will be answered; take nothing yet. The sockets of `listeners` are "
             "the transport's from now on. `headers` names those that messages carry, `health` the "
             "services that grpc.health.v1 knows. A status is a code, a message and a serialised google.rpc.Status; "
             "each refusal has one. A call that would wait for more than `max_wait` of its time is refused. Raises "
             "ValueError where a status is missing. Where a listener speaks HTTP, `responses` has status, headers and "
             "body of each refusal there, in the words of each API, `http_statuses` the status of gRPC's codes (of others it is "
             "500), and a call that asks for none of `hosts`, if there "
             "are any, is the application's. `proxies` are believed when they say by `forwarded` or `x-forwarded-for` in whose name "
             "they call: addresses of 4 or 16 bytes, and how many of their bits count.")
        .def("start", &Transport::start, Release(), "Take connections.")
        .def("take_messages", &take_messages, "most"_a, "wait_s"_a, "queue_s"_a = 0.0,
             "max_bytes"_a = std::size_t(1) << 22, "takes_long"_a = true,
             "Wait up to `wait_s`, without the GIL, for messages, and return at most `most` of them, in fair order "
             "of callers; of more than `max_bytes`, one alone. Refuses calls that `queue_s`, the wait in Python "
             "now, makes hopeless. None once stopped. Where it `takes_long`, also long ones that a fast path serves, even in "
             "the middle of them.")
        .def("wake", &Transport::wake_one, Release(),
             "Let one that waits in `take_messages` return, or who comes next.")
        .def("has_hasty_callers", &Transport::has_hasty_callers, Release(),
             "Return whether somebody has lately asked for what a fast path answers soon.")
        .def("hand_over_polling", &Transport::hand_over_polling, Release(),
             "Let one that waits in `take_messages` look at the sockets, if nobody does.")
        .def("answer", &answer, "ids"_a, "contents"_a,
             "Answer messages: a unary call ends OK, a stream goes on. Ids of messages that are over are ignored.")
        .def("fail", &fail, "ids"_a, "statuses"_a,
             "End calls with a status; a stream once all messages before were answered.")
        .def("take_requests", &take_requests, "most"_a = std::size_t(64),
             "Return requests over HTTP that have come and are the application's, at most so many; None once stopped. "
             "Never waits.")
        .def("requests_descriptor", &Transport::requests_descriptor,
             "Return an eventfd that is readable while `take_requests` has something to return. It is the transport's.")
        .def("respond", &respond, "id"_a, "status"_a, "headers"_a, "body"_a,
             "Answer a request over HTTP; False where its caller had left. Content-length, date, connection and "
             "x-content-type-options are added; names of headers are in lower case. Raises ValueError for one that "
             "holds a line's end.")
        .def("ended", &ended, "Return the calls that ended without Python since the last look.")
        .def("set_serving", &Transport::set_serving, "serving"_a, "services"_a = nb::none(), Release(),
             "Say by grpc.health.v1 whether these services, which it was told of, serve; all where None.")
        .def("drain", &Transport::drain, Release(),
             "Say NOT_SERVING for good, refuse new calls, and end each stream once what was read of it is answered.")
        .def("quiet_s", &Transport::quiet_s, Release(), "Return the seconds since a caller last began a metered call.")
        .def("wait_idle", &wait_idle, "timeout_s"_a,
             "Return whether, within `timeout_s`, no call is open and every byte is with its caller.")
        .def("stop", &Transport::stop, "grace_s"_a, Release(),
             "Say goodbye, give the last bytes at most `grace_s`, and close.")
        .def("set_traced", &Transport::set_traced, "traced"_a, Release(),
             "Say whether spans are kept of calls: then fast paths leave those to Python whose callers do not say that "
             "they keep none.")
        .def("set_keys", &set_keys, "keys"_a.none(),
             nb::sig("def set_keys(self, keys: collections.abc.Mapping[bytes, object] | None) -> None"),
             "Refuse calls without `authorization: Bearer KEY` of a key with one of these SHA-256; None for no key. "
             "Who holds a key has its turns by whatever connections. A key's value is the Usage that counts its share, "
             "or None. Raises TypeError for any other.")
        .def("set_certificates", &set_certificates, "certificate"_a, "key"_a, "client_ca"_a.none(),
             "Show another certificate, in PEM, to new connections.")
        .def("sliced", &sliced,
             "Return how many requests, sentences and tokens of long requests wait for fast paths, about, until they are read.")
        .def("figures", &figures, "Return what is counted, by name.")
        .def("bounds", &bounds, "Return the limits of those figures that have one.");
}

}  // namespace
}  // namespace transport
