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
#include <string_view>
#include <tuple>

#include "binding_contract.hpp"
#include "binding_fast_path.hpp"
#include "binding_requests.hpp"
#include "binding_results.hpp"
#include "binding_usage.hpp"
#include "transport.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace transport {
namespace {

using Release = nb::call_guard<nb::gil_scoped_release>;
using python::GivenStatus;
using python::status_of;
template <class T>
using Sequence = nb::typed<nb::sequence, T>;

constexpr double attention_s = 0.05;

std::optional<python::Batch> take_messages(Transport& transport, std::size_t most, double wait_s, double queue_s,
                                           std::size_t most_bytes, bool takes_long) {
    std::optional<Batch> batch;
    {
        const nb::gil_scoped_release release;
        batch = transport.take_messages({.messages = most, .bytes = most_bytes, .small = most, .small_bytes = most_bytes, .takes_long = takes_long, .soon_s = never},
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
    transport.answer(std::move(answers));
}

void fail(Transport& transport, const Sequence<std::uint64_t>& ids, const std::vector<GivenStatus>& statuses) {
    if (nb::len(ids) != statuses.size()) throw nb::value_error("there must be as many statuses as ids");
    Transport::Failures failures;
    for (std::size_t index = 0; index < statuses.size(); ++index)
        failures.emplace_back(nb::cast<std::uint64_t>(ids[index]), python::status_of(statuses[index]));
    const nb::gil_scoped_release release;
    transport.fail(failures);
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

NB_MODULE(_transport, module) {
    nb::set_leak_warnings(false);  // a process may end while a server serves
    python::bind_contract(module);
    python::bind_results(module);
    python::bind_usage(module);
    python::bind_path(module);
    python::bind_requests(module);
    nb::class_<Transport>(
        module, "Transport",
        "Listening sockets, and the calls that come by them. Every method may be called by any thread.")
        .def("__init__", &python::construct, "listeners"_a, "methods"_a, nb::kw_only(), "headers"_a, "health"_a, "statuses"_a,
             "limits"_a, "most_wait"_a, "responses"_a = std::vector<std::map<Refusal, python::GivenResponse>>(),
             "hosts"_a = nb::none(), "proxies"_a = std::vector<std::pair<nb::bytes, std::size_t>>(),
             nb::sig("def __init__(self, listeners: collections.abc.Sequence[Listener], methods: "
                     "collections.abc.Sequence[Method], *, headers: collections.abc.Sequence[str], health: "
                     "collections.abc.Sequence[str], statuses: collections.abc.Mapping[Refusal, tuple[int, str, "
                     "bytes]], limits: Limits, most_wait: float, responses: collections.abc.Sequence[collections.abc.Mapping["
                     "Refusal, tuple[int, collections.abc.Sequence[tuple[bytes, bytes]], bytes]]] = [], hosts: Hosts | None "
                     "= None, proxies: collections.abc.Sequence[tuple[bytes, int]] = []) -> None"),
             "Know what will be answered; take nothing yet. The sockets of `listeners` are "
             "the transport's from now on. `headers` names those that messages carry, `health` the "
             "services that grpc.health.v1 knows. A status is a code, a message and a serialised google.rpc.Status; "
             "each refusal has one. A call that would wait for more than `most_wait` of its time is refused. Raises "
             "ValueError where a status is missing. Where a listener speaks HTTP, `responses` has status, headers and "
             "body of each refusal there, in the words of each API, and a call that asks for none of `hosts`, if there "
             "are any, is the application's. `proxies` are believed when they say by `forwarded` or `x-forwarded-for` in whose name "
             "they call: addresses of 4 or 16 bytes, and how many of their bits count.")
        .def("start", &Transport::start, Release(), "Take connections.")
        .def("take_messages", &take_messages, "most"_a, "wait_s"_a, "queue_s"_a = 0.0,
             "most_bytes"_a = std::size_t(1) << 22, "takes_long"_a = true,
             "Wait up to `wait_s`, without the GIL, for messages, and return at most `most` of them, in fair order "
             "of callers; of more than `most_bytes`, one alone. Refuses calls that `queue_s`, the wait in Python "
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
        .def("take_requests", &python::take_requests, "most"_a = std::size_t(64),
             "Return requests over HTTP that have come and are the application's, at most so many; None once stopped. "
             "Never waits.")
        .def("requests_descriptor", &Transport::requests_descriptor,
             "Return an eventfd that is readable while `take_requests` has something to return. It is the transport's.")
        .def("respond", &python::respond, "id"_a, "status"_a, "headers"_a, "body"_a,
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
