// What Python is handed, and what it says, by names. Made and destroyed under the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "fast_path.hpp"

namespace transport::python {

namespace nb = nanobind;
using namespace nb::literals;

/// Message as Python gets it.
struct Message {
    std::uint64_t id;
    std::size_t method;
    nb::bytes content;
    std::optional<double> deadline;
    nb::typed<nb::tuple, nb::typed<nb::tuple, nb::str, nb::str>, nb::ellipsis> metadata;
    std::uint64_t caller, network;
    double arrived;
    nb::bytes key;
};

using Rows = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

/// Submission that is over, as Python gets it.
struct Returned {
    std::uint64_t id;
    Outcome outcome;
    std::optional<Rows> rows;
    std::size_t tokens;
    double engine_s;
};

/// What `take_messages` returns to Python: messages, the ids of those whose calls are over, and submissions that are.
struct Batch {
    nb::typed<nb::list, Message> messages;
    nb::typed<nb::list, nb::int_> over;
    nb::typed<nb::list, Returned> returned;
    bool is_given_up;
};

/// Group of ended calls of one method, status and refusal, as Python gets it, with how long each took.
struct Ended {
    int method, code;
    std::optional<Refusal> refusal;
    nb::typed<nb::list, nb::float_> seconds;
};

using GivenStatus = std::tuple<int, std::string, nb::bytes>;  // code, message, details
using GivenHeaders = std::vector<std::pair<nb::bytes, nb::bytes>>;
using GivenResponse = std::tuple<int, GivenHeaders, nb::bytes>;  // status, headers, body
using Headers = nb::typed<nb::list, nb::typed<nb::tuple, nb::bytes, nb::bytes>>;

/// Request over HTTP as Python gets it.
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

/// What `take_requests` returns to Python: requests, and the ids of those whose callers have left.
struct Requests {
    nb::typed<nb::list, Request> requests;
    nb::typed<nb::list, nb::int_> over;
};

inline nb::bytes bytes_of(const std::string& text) { return nb::bytes(text.data(), text.size()); }

inline Status status_of(const GivenStatus& from) {
    const auto& [code, message, details] = from;
    return {code, message, std::string(details.c_str(), details.size())};
}

/// Copies an application's response. Throws ValueError for a header that contains a line end.
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

inline Message message_of(const TakenMessage& taken, const std::vector<std::string>& headers) {
    nb::list metadata;
    for (const auto& [index, value] : taken.metadata) {
        PyObject* text = PyUnicode_DecodeUTF8(value.data(), Py_ssize_t(value.size()), "surrogateescape");
        metadata.append(nb::make_tuple(headers[index], nb::steal(text)));
    }
    return {.id = taken.id,
            .method = taken.method,
            .content = bytes_of(taken.content),
            .deadline = std::isinf(taken.deadline) ? std::nullopt : std::optional(taken.deadline),
            .metadata = nb::tuple(metadata),
            .caller = taken.caller,
            .network = taken.network,
            .arrived = taken.arrived,
            .key = bytes_of(taken.key_digest)};
}

/// Hands over the rows of a submission; Python's array owns them from now on.
inline Returned returned_of(const transport::Returned& from, const FastPath& path) {
    Job& job = *from.job;
    Returned made{job.message.id, from.outcome, std::nullopt, job.tokens().size(), job.engine_s()};
    if (from.outcome != Outcome::done) return made;
    const std::size_t shape[] = {job.tokens().sentences(), path.dimension(job.request().model)};
    std::unique_ptr<float[]> rows = job.take_rows();
    const nb::capsule owner(rows.get(), [](void* of) noexcept { delete[] static_cast<float*>(of); });
    made.rows.emplace(rows.release(), 2, shape, owner);
    return made;
}

/// Makes what Python gets of a batch; only what a fast path has taken holds submissions.
inline std::optional<Batch> batch_of(const std::optional<transport::Batch>& taken, const Transport& transport,
                                     bool is_given_up, const FastPath* path = nullptr) {
    if (!taken) return std::nullopt;
    nb::list messages, over, returned;
    for (const TakenMessage& message : taken->messages)
        messages.append(message_of(message, transport.settings().headers));
    for (const std::uint64_t id : taken->gone) over.append(id);
    if (path)
        for (const transport::Returned& each : taken->returned) returned.append(returned_of(each, *path));
    return Batch{messages, over, returned, is_given_up};
}

/// Groups similar calls, since there may be thousands.
inline nb::typed<nb::list, Ended> ended_of(const std::vector<transport::Ended>& calls) {
    std::map<std::tuple<int, int, Refusal>, nb::list> alike;
    for (const transport::Ended& call : calls) alike[{call.method, call.code, call.refusal}].append(call.seconds);
    nb::list found;
    for (const auto& [what, seconds] : alike) {
        const auto& [method, code, refusal] = what;
        found.append(Ended{method, code, refusal == Refusal::none ? std::nullopt : std::optional(refusal), seconds});
    }
    return found;
}

inline Request request_of(const HttpRequest& from) {
    Headers headers;
    for (const auto& [name, value] : from.headers) headers.append(nb::make_tuple(bytes_of(name), bytes_of(value)));
    return {.id = from.id,
            .listener = from.listener,
            .method = from.method,
            .verb = from.verb,
            .target = bytes_of(from.target),
            .version = from.version,
            .headers = headers,
            .body = bytes_of(from.body),
            .is_whole = from.is_whole,
            .peer = {from.address, from.port},
            .is_encrypted = from.is_encrypted,
            .key = bytes_of(from.key_digest),
            .caller = from.caller,
            .network = from.network,
            .arrived = from.arrived,
            .deadline = std::isinf(from.deadline) ? std::nullopt : std::optional(from.deadline)};
}

inline const char* name_of(EventKind kind) {
    static constexpr const char* names[] = {
#define TRANSPORT_NAMED(name, words) #name,
        TRANSPORT_EVENTS(TRANSPORT_NAMED)
#undef TRANSPORT_NAMED
    };
    return names[std::size_t(kind)];
}

inline std::string words_of(const Event& event) {
    static constexpr const char* kinds[] = {
#define TRANSPORT_WORDS(name, words) words,
        TRANSPORT_EVENTS(TRANSPORT_WORDS)};
    static constexpr const char* refusals[] = {"", TRANSPORT_REFUSALS(TRANSPORT_WORDS)};
#undef TRANSPORT_WORDS
    const std::string found = kinds[std::size_t(event.kind)];
    return event.refusal == Refusal::none ? found : found + " " + refusals[std::size_t(event.refusal)];
}

inline void bind_events(nb::module_& module) {
    nb::class_<Event>(
        module, "Event",
        "What was decided about a connection or a call, once or several times in a row. Times are time.monotonic's.")
        .def_prop_ro("kind", [](const Event& event) { return name_of(event.kind); })
        .def_prop_ro("words", &words_of, "What it was and why, in sentences of ours.")
        .def_prop_ro(
            "refusal",
            [](const Event& event) {
                return event.refusal == Refusal::none ? std::nullopt : std::optional(event.refusal);
            },
            "Why a call was refused; None where none was.")
        .def_prop_ro(
            "network", [](const Event& event) { return bytes_of(std::string(event.network())); },
            "What addresses of the callers' network begin with: 4 bytes of IPv4, 8 of IPv6; none where they have no "
            "address.")
        .def_ro("listener", &Event::listener, "Its place among the listeners.")
        .def_ro("connection", &Event::connection,
                "Number of the last connection that it was about; 0 where there was none.")
        .def_ro("count", &Event::count, "How often.")
        .def_ro("first", &Event::first)
        .def_ro("last", &Event::last);
}

inline void bind_results(nb::module_& module) {
    nb::class_<Message>(module, "Message",
                        "A unary call's only message, or one of a stream's. Times are time.monotonic's.")
        .def_ro("id", &Message::id)
        .def_ro("method", &Message::method, "Index of its method.")
        .def_ro("content", &Message::content)
        .def_ro("deadline", &Message::deadline, "Time at which its caller stops waiting; None if never.")
        .def_ro("metadata", &Message::metadata, "The headers that were asked for.")
        .def_ro("caller", &Message::caller, "Number of its connection, or of its key.")
        .def_ro("network", &Message::network, "Number of its caller's network.")
        .def_ro("arrived", &Message::arrived, "Time at which its call came; of a stream's, itself.")
        .def_ro("key", &Message::key, "SHA-256 of its call's key; empty where callers need none.");
    nb::class_<Batch>(module, "Batch", "Result of one call that takes.")
        .def_ro("messages", &Batch::messages)
        .def_ro("over", &Batch::over,
                "Ids of messages taken earlier whose caller has left, or whose deadline has passed.")
        .def_ro("returned", &Batch::returned, "Submissions that are over.")
        .def_ro("is_given_up", &Batch::is_given_up,
                "True where the thread's own run took too long, and others have answered its callers.");
    nb::class_<Ended>(module, "Ended",
                      "Similar calls that ended without Python: unary ones before they were taken, and every stream.")
        .def_ro("method", &Ended::method, "Its place among the methods; negative where it was none.")
        .def_ro("code", &Ended::code)
        .def_ro("refusal", &Ended::refusal, "None where nobody refused them.")
        .def_ro("seconds", &Ended::seconds, "Duration of each.");
    nb::class_<Unanswered>(module, "Unanswered",
                           "Call that got no embeddings: it was refused, or ended before its answer.")
        .def_ro("method", &Unanswered::method, "Index of its method.")
        .def_ro("code", &Unanswered::code)
        .def_ro("seconds", &Unanswered::seconds, "From when it came to its end.");
    nb::class_<RunCounts>(module, "RunCounts", "Counts of a run, and of what was answered after it, without Python.")
        .def_ro("model", &RunCounts::model, "Index of the model that computed it.")
        .def_ro("tokens", &RunCounts::tokens, "That the run computed.")
        .def_ro("truncated", &RunCounts::truncated, "Sentences of the answers of which the end was cut off.")
        .def_ro("in_pieces", &RunCounts::in_pieces,
                "Sentences of the answers that were longer than the model reads, and read in pieces.")
        .def_ro("tokenise_s", &RunCounts::tokenise_s)
        .def_ro("engine_s", &RunCounts::engine_s)
        .def_ro("serialise_s", &RunCounts::serialise_s)
        .def_ro("waited_s", &RunCounts::waited_s, "Of each sentence of the run, from when its call came.")
        .def_ro("counts", &RunCounts::counts, "Tokens of each sentence of the answers.")
        .def_ro("seconds", &RunCounts::seconds,
                "Of each small unary call, from when it came to its answer; by its method's place. Long ones are the "
                "transport's to count, as those that it ended by itself.")
        .def_ro("messages", &RunCounts::messages,
                "Number of streams' messages that were answered, by the index of their method.")
        .def_ro("unanswered", &RunCounts::unanswered, "Small unary calls that got no embeddings.");
    nb::class_<InStream>(module, "InStream", "Message of a stream, which gets a response whatever becomes of it.")
        .def_ro("id", &InStream::id)
        .def_ro("method", &InStream::method, "Index of its method.")
        .def_ro("model", &InStream::model, "Index of the model that it asked for.")
        .def_ro("sentences", &InStream::sentences, "How many it holds.");
    nb::class_<Overdue>(module, "Overdue", "Run that was given up.")
        .def_ro("thread", &Overdue::thread)
        .def_ro("model", &Overdue::model, "Index of its model.")
        .def_ro("messages", &Overdue::messages, "Ids of small calls that it was for, by the index of their method.")
        .def_ro("long_messages", &Overdue::long_messages,
                "Ids of calls that it was for in part. The transport counts how they end.")
        .def_ro("in_streams", &Overdue::in_streams, "Streams' messages that it was for, or in part.")
        .def_ro("submitted", &Overdue::submitted, "Ids of messages whose submissions it was for, or in part.");
}

inline void bind_requests(nb::module_& module) {
    nb::class_<Request>(module, "HttpRequest", "HTTP request. Times are by time.monotonic.")
        .def_ro("id", &Request::id)
        .def_ro("listener", &Request::listener, "Index of its listener.")
        .def_ro("method", &Request::method, "Index of its method; None for an unknown one.")
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
        .def_ro("network", &Request::network, "Number of its caller's network.")
        .def_ro("arrived", &Request::arrived, "Time at which it began to arrive.")
        .def_ro("deadline", &Request::deadline, "Time at which its caller stops waiting; None if never.");
    nb::class_<Requests>(module, "HttpRequests", "Result of one call that takes.")
        .def_ro("requests", &Requests::requests)
        .def_ro("over", &Requests::over,
                "Ids of requests taken earlier whose caller has left or was told that the deadline has passed.");
}

}  // namespace transport::python
