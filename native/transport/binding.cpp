// The Python module of the transport. A whole batch crosses at once; the GIL is free while the transport works.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>

#include "../shared/capsule.hpp"
#include "fast_path.hpp"
#include "transport.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace transport {
namespace {

constexpr double attention_s = 0.05;

nb::object time_or_none(double time) { return std::isinf(time) ? nb::none() : nb::object(nb::float_(time)); }

nb::tuple tuple_of(const Taken& message, const std::vector<std::string>& headers) {
    nb::list metadata;
    for (const auto& [index, value] : message.metadata) {
        PyObject* text = PyUnicode_DecodeUTF8(value.data(), Py_ssize_t(value.size()), "surrogateescape");
        metadata.append(nb::make_tuple(headers[index], nb::steal(text)));
    }
    return nb::make_tuple(message.id, message.method, nb::bytes(message.content.data(), message.content.size()),
                          time_or_none(message.deadline), nb::tuple(metadata), message.caller, message.arrived,
                          nb::bytes(message.key_digest.data(), message.key_digest.size()));
}

nb::object object_of(const std::optional<Batch>& batch, const Transport& transport) {
    if (!batch) return nb::none();
    nb::list messages, gone;
    for (const Taken& message : batch->messages) messages.append(tuple_of(message, transport.settings().headers));
    for (const std::uint64_t id : batch->gone) gone.append(id);
    return nb::make_tuple(messages, gone);
}

nb::object take_messages(Transport& transport, std::size_t most, double wait_s, double queue_s, std::size_t most_bytes) {
    std::optional<Batch> batch;
    {
        const nb::gil_scoped_release release;
        batch = transport.take_messages({most, most_bytes, most, most_bytes}, wait_s, queue_s);
    }
    return object_of(batch, transport);
}

void answer(Transport& transport, const nb::sequence& ids, const nb::sequence& contents) {
    const std::size_t count = nb::len(ids);
    if (count != nb::len(contents)) throw nb::value_error("there must be as many contents as ids");
    Transport::Answers answers;
    answers.reserve(count);
    for (std::size_t index = 0; index < count; ++index) {
        const nb::bytes content = nb::cast<nb::bytes>(contents[index]);  // the sequence keeps it alive
        answers.emplace_back(nb::cast<std::uint64_t>(ids[index]), std::string_view(content.c_str(), content.size()));
    }
    const nb::gil_scoped_release release;
    transport.answer(answers);
}

Status status_of(nb::handle from) {
    const auto parts = nb::cast<nb::tuple>(from);
    const auto details = nb::cast<nb::bytes>(parts[2]);
    return {nb::cast<int>(parts[0]), nb::cast<std::string>(parts[1]), std::string(details.c_str(), details.size())};
}

void fail(Transport& transport, const nb::sequence& ids, const nb::sequence& statuses) {
    const std::size_t count = nb::len(ids);
    if (count != nb::len(statuses)) throw nb::value_error("there must be as many statuses as ids");
    Transport::Failures failures;
    for (std::size_t index = 0; index < count; ++index)
        failures.emplace_back(nb::cast<std::uint64_t>(ids[index]), status_of(statuses[index]));
    const nb::gil_scoped_release release;
    transport.fail(failures);
}

nb::list ended(Transport& transport) {
    std::vector<Ended> calls;
    {
        const nb::gil_scoped_release release;
        calls = transport.ended();
    }
    std::map<std::tuple<int, int, std::string_view>, nb::list> alike;  // a storm's are thousands
    for (const Ended& call : calls) alike[{call.method, call.code, call.refusal}].append(call.seconds);
    nb::list found;
    for (const auto& [what, seconds] : alike) {
        const auto& [method, code, refusal] = what;
        found.append(nb::make_tuple(method, code, nb::str(refusal.data(), refusal.size()), seconds));
    }
    return found;
}

/// Waits in pieces: a signal's handler runs in Python's main thread, and a second SIGTERM is to end the process at once.
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

void set_certificates(Transport& transport, const nb::bytes& certificate, const nb::bytes& key, nb::handle client_ca) {
    const auto text = [](const nb::bytes& bytes) { return std::string(bytes.c_str(), bytes.size()); };
    const std::string chain = text(certificate), secret = text(key);
    const std::string ca = client_ca.is_none() ? "" : text(nb::cast<nb::bytes>(client_ca));
    const nb::gil_scoped_release release;
    transport.set_certificates(chain, secret, ca);
}

void set_keys(Transport& transport, nb::handle digests) {
    std::optional<std::set<std::string>> keys;
    if (!digests.is_none()) {
        keys.emplace();
        for (const auto digest : digests) {
            const auto bytes = nb::cast<nb::bytes>(digest);
            keys->emplace(bytes.c_str(), bytes.size());
        }
    }
    const nb::gil_scoped_release release;
    transport.set_keys(std::move(keys));
}

void construct(Transport* self, const std::vector<int>& listeners, const nb::sequence& methods, const std::vector<std::string>& headers,
               const std::vector<std::string>& health, const nb::dict& statuses, const Limits& limits, double most_wait) {
    static constexpr const char* kinds[] = {"full", "late", "expired", "draining", "no_key", "unknown_key", "slow", "empty",
                                            "large", "inflated", "headers", "timeout", "unknown", "malformed", "compressed", "unread"};
    Settings settings;
    settings.limits = limits;
    settings.most_wait = most_wait;
    settings.headers = headers;
    settings.health_services = {health.begin(), health.end()};
    for (const auto entry : methods) {
        const auto parts = nb::cast<nb::tuple>(entry);
        settings.methods.push_back({nb::cast<std::string>(parts[0]), nb::cast<bool>(parts[1]), nb::cast<bool>(parts[2])});
    }
    for (const auto [kind, status] : statuses) settings.statuses[nb::cast<std::string>(kind)] = status_of(status);
    for (const char* kind : kinds)
        if (!settings.statuses.contains(kind)) throw nb::value_error((std::string("no status for ") + kind).c_str());
    new (self) Transport(std::move(settings), listeners);
}

void bind_limits(nb::module_& module) {
    nb::class_<Limits>(module, "Limits")
        .def(nb::init<>())
        .def_rw("max_message_bytes", &Limits::max_message_bytes)
        .def_rw("max_inflated_bytes", &Limits::max_inflated_bytes)
        .def_rw("max_header_bytes", &Limits::max_header_bytes)
        .def_rw("max_calls", &Limits::max_calls)
        .def_rw("max_connections", &Limits::max_connections)
        .def_rw("max_streams", &Limits::max_streams)
        .def_rw("handshake_s", &Limits::handshake_s)
        .def_rw("idle_s", &Limits::idle_s)
        .def_rw("age_s", &Limits::age_s)
        .def_rw("age_grace_s", &Limits::age_grace_s)
        .def_rw("keepalive_s", &Limits::keepalive_s)
        .def_rw("keepalive_timeout_s", &Limits::keepalive_timeout_s)
        .def_rw("min_ping_s", &Limits::min_ping_s)
        .def_rw("ping_strikes", &Limits::ping_strikes)
        .def_rw("stall_s", &Limits::stall_s)
        .def_rw("window_messages", &Limits::window_messages)
        .def_rw("window_sentences", &Limits::window_sentences)
        .def_rw("window_bytes", &Limits::window_bytes)
        .def_rw("held_bytes", &Limits::held_bytes)
        .def_rw("held_total_bytes", &Limits::held_total_bytes)
        .def_rw("unread_bytes", &Limits::unread_bytes)
        .def_rw("unread_total_bytes", &Limits::unread_total_bytes);
}

void construct_path(FastPath* self, Transport& transport, std::size_t method, const nb::capsule& tokenizer, const nb::capsule& encoder,
                    std::string version, std::size_t most_sentences, std::size_t most_bytes, std::size_t most_together,
                    std::size_t most_bytes_together, std::size_t most_tokens) {
    FastPath::Settings settings{method, most_sentences, most_bytes, most_together, most_bytes_together, most_tokens, std::move(version)};
    const auto& borrowed_tokenizer = shared::borrowed<shared::Tokenizer>(tokenizer);
    new (self) FastPath(transport, std::move(settings), borrowed_tokenizer, shared::borrowed<shared::Encoder>(encoder));
}

nb::tuple take_beside(FastPath& path, Transport& transport, std::size_t most, double wait_s, double queue_s, std::size_t most_bytes,
                      std::uint64_t thread) {
    Report report;
    {
        const nb::gil_scoped_release release;
        report = path.take_messages(most, wait_s, queue_s, most_bytes, thread);
    }
    return nb::make_tuple(object_of(report.batch, transport), report.is_given_up);
}

nb::list served_by(FastPath& path) {
    std::vector<Served> batches;
    {
        const nb::gil_scoped_release release;
        batches = path.served();
    }
    nb::list served;
    for (const Served& each : batches)
        served.append(nb::make_tuple(each.tokens, each.truncated, each.tokenise_s, each.engine_s, each.serialise_s, each.waited_s,
                                     each.counts, each.seconds, each.left));
    return served;
}

void bind_path(nb::module_& module) {
    nb::class_<FastPath>(module, "FastPath")
        .def("__init__", &construct_path, "transport"_a, "method"_a, "tokenizer"_a, "encoder"_a, nb::kw_only(), "version"_a,
             "most_sentences"_a, "most_bytes"_a, "most_together"_a, "most_bytes_together"_a, "most_tokens"_a,
             nb::keep_alive<1, 2>(), nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>())
        .def("forgive", &FastPath::forgive, "thread"_a, "seconds"_a)
        .def("overdue", &FastPath::overdue, "seconds"_a)
        .def("served", &served_by)
        .def("take_messages", &take_beside, "transport"_a, "most"_a, "wait_s"_a, "queue_s"_a, "most_bytes"_a, "thread"_a);
}

NB_MODULE(_transport, module) {
    using Release = nb::call_guard<nb::gil_scoped_release>;
    bind_limits(module);
    bind_path(module);
    nb::class_<Transport>(module, "Transport")
        .def("__init__", &construct, "listeners"_a, "methods"_a, nb::kw_only(), "headers"_a, "health"_a, "statuses"_a, "limits"_a,
             "most_wait"_a)
        .def("start", &Transport::start, Release())
        .def("take_messages", &take_messages, "most"_a, "wait_s"_a, "queue_s"_a = 0.0, "most_bytes"_a = std::size_t(1) << 22)
        .def("wake", &Transport::wake_one, Release())
        .def("hand_over_polling", &Transport::hand_over_polling, Release())
        .def("answer", &answer, "ids"_a, "contents"_a)
        .def("fail", &fail, "ids"_a, "statuses"_a)
        .def("ended", &ended)
        .def("set_serving", &Transport::set_serving, "serving"_a, Release())
        .def("drain", &Transport::drain, Release())
        .def("quiet_s", &Transport::quiet_s, Release())
        .def("wait_idle", &wait_idle, "timeout_s"_a)
        .def("stop", &Transport::stop, "grace_s"_a, Release())
        .def("set_keys", &set_keys, "digests"_a.none())
        .def("set_certificates", &set_certificates, "certificate"_a, "key"_a, "client_ca"_a.none())
        .def("figures", &Transport::figures, Release());
}

}  // namespace
}  // namespace transport
