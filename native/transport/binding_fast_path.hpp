// The fast path to Python.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "../shared/capsule.hpp"
#include "binding_results.hpp"
#include "called_encoder.hpp"
#include "codec_constant.hpp"
#include "codec_embed.hpp"
#include "codec_infer.hpp"
#include "codec_infer_json.hpp"
#include "codec_ollama.hpp"
#include "codec_openai.hpp"
#include "codec_tei.hpp"
#include "codec_tei_message.hpp"
#include "fast_path.hpp"

namespace transport::python {

using namespace nb::literals;

/// Codec as Python sees it. Fast paths that use it may release it without the GIL.
struct GivenCodec {
    std::shared_ptr<const Codec> codec;
};

/// Model as Python sees it. It keeps the tokenizer and the encoder alive, which belong to other modules.
struct GivenModel {
    nb::object tokenizer, encoder;
    std::size_t max_tokens;
};

inline GivenCodec embed_codec(std::vector<NamedModel> models, const GivenStatus& empty) {
    return {std::make_shared<EmbedCodec>(NamedModels(std::move(models)), status_of(empty))};
}

inline GivenCodec embed_stream_codec(std::vector<NamedModel> models) {
    return {std::make_shared<EmbedStreamCodec>(NamedModels(std::move(models)))};
}

inline GivenCodec constant_codec(const nb::bytes& response) {
    return {std::make_shared<ConstantCodec>(std::string(response.c_str(), response.size()))};
}

inline GivenCodec infer_codec(std::vector<NamedModel> models) {
    return {std::make_shared<InferCodec>(NamedModels(std::move(models)))};
}

inline GivenCodec infer_json_codec(std::vector<NamedModel> models) {
    return {std::make_shared<InferJsonCodec>(NamedModels(std::move(models)))};
}

inline GivenCodec ollama_embed_codec(std::vector<NamedModel> models, Truncation truncation) {
    return {std::make_shared<OllamaEmbedCodec>(NamedModels(std::move(models)), truncation)};
}

inline GivenCodec ollama_embeddings_codec(std::vector<NamedModel> models, Truncation truncation) {
    return {std::make_shared<OllamaEmbeddingsCodec>(NamedModels(std::move(models)), truncation)};
}

inline GivenCodec openai_codec(std::vector<NamedModel> models, Truncation truncation) {
    return {std::make_shared<OpenAICodec>(NamedModels(std::move(models)), truncation)};
}

inline GivenCodec tei_codec(std::vector<NamedModel> models, Truncation truncation) {
    return {std::make_shared<TeiCodec>(NamedModels(std::move(models)), truncation)};
}

inline GivenCodec tei_message_codec(std::vector<NamedModel> models) {
    return {std::make_shared<TeiMessageCodec>(NamedModels(std::move(models)))};
}

inline void construct_path(FastPath* self, Transport& transport, const std::map<std::size_t, GivenCodec>& codecs,
                           const nb::typed<nb::tuple, GivenModel, nb::ellipsis>& models,
                           std::size_t max_small_sentences, std::size_t max_bytes, std::size_t max_together,
                           std::size_t max_bytes_together, std::size_t max_runs, std::size_t max_sentences,
                           std::size_t max_sentence_bytes, std::size_t max_request_tokens) {
    FastPath::Settings settings{
        .codecs = {},
        .max_sentences = max_small_sentences,
        .max_bytes = max_bytes,
        .max_together = max_together,
        .max_bytes_together = max_bytes_together,
        .max_runs = max_runs,
        .long_limits = {
            .sentences = max_sentences, .sentence_bytes = max_sentence_bytes, .tokens = max_request_tokens}};
    for (const auto& [method, given] : codecs) settings.codecs.emplace(method, given.codec);
    std::vector<Reader> readers;
    std::vector<shared::Encoder> encoders;
    for (const nb::handle each : models) {
        const auto& model = nb::cast<const GivenModel&>(each);
        const bool has_tokenizer = !model.tokenizer.is_none();
        readers.push_back({has_tokenizer ? shared::borrowed<shared::Tokenizer>(model.tokenizer) : shared::Tokenizer{},
                           model.max_tokens});
        encoders.push_back(shared::borrowed<shared::Encoder>(model.encoder));
    }
    if (readers.empty()) throw std::invalid_argument("there is no model");
    new (self) FastPath(transport, std::move(settings), std::move(readers), encoders);
}

inline std::optional<Batch> take_with_fast_path(FastPath& path, std::size_t max_messages, double wait_s,
                                                std::size_t max_bytes, std::uint64_t thread, bool may_answer) {
    transport::Report report;
    {
        const nb::gil_scoped_release release;
        report = path.take_messages(max_messages, wait_s, max_bytes, thread, may_answer);
    }
    return batch_of(report.batch, path.transport(), report.is_given_up, &path);
}

using Ids = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Offsets = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// Submits sentences; throws ValueError for offsets that don't fit the ids.
inline bool submit(FastPath& path, std::uint64_t id, std::size_t model, const Ids& ids, const Offsets& offsets,
                   double deadline, double spent) {
    Submission submission{model, {}, deadline};
    for (std::size_t index = 0; index + 1 < offsets.size(); ++index) {
        const std::int64_t from = offsets(index), to = offsets(index + 1);
        if (from < 0 || to <= from || std::size_t(to) > ids.size())
            throw nb::value_error("a sentence has no token, or ids that are not there");
        submission.tokens.append(std::span(ids.data() + from, std::size_t(to - from)));
    }
    if (submission.tokens.sentences() == 0) throw nb::value_error("there is no sentence");
    const nb::gil_scoped_release release;
    return path.submit(id, std::move(submission), spent);
}

inline void bind_path(nb::module_& module) {
    nb::exception<NoRoom>(module, "NoRoom");
    nb::enum_<Outcome>(module, "Outcome", "What has become of a submission.")
        .value("done", Outcome::done, "Its rows are there.")
        .value("failed", Outcome::failed,
               "The model's run failed, for this submission alone, or the model was stopped.")
        .value("replaced", Outcome::replaced, "Other models have taken over before it was computed.")
        .value("late", Outcome::late, "Its deadline passed before it was computed.");
    nb::class_<python::Returned>(module, "Returned", "Submission that is over.")
        .def_ro("id", &python::Returned::id, "Id of the message that it was for.")
        .def_ro("outcome", &python::Returned::outcome)
        .def_prop_ro(
            "rows", [](const python::Returned& self) { return self.rows; },
            nb::rv_policy::reference,  // it has an owner
            "float32 [sentences, dimension] where it is done; else None.")
        .def_ro("tokens", &python::Returned::tokens)
        .def_ro("engine_s", &python::Returned::engine_s, "Seconds of the runs that it was computed in.");
    nb::enum_<Truncation>(module, "Truncation", "What to do with a sentence of more tokens than the model reads.")
        .value("start", Truncation::start, "Its start is kept.")
        .value("error", Truncation::error, "It is an error of its request.")
        .value("end", Truncation::end, "Its end is kept.")
        .value("pieces", Truncation::pieces, "It is read in pieces, and its row is the mean of theirs.");
    module.def("called_encoder", &called_encoder, "run"_a, "dimension"_a,
               nb::sig("def called_encoder(run: collections.abc.Callable[[typing.Any, typing.Any, typing.Any], bool], "
                       "dimension: int) -> object"),
               "Return what a FastPath borrows in place of an Encoder's: it calls `run` with token ids int32 [tokens], "
               "offsets int64 [sentences + 1] and rows float32 [sentences, dimension], which `run` writes. They are "
               "views of memory that is gone once it has returned. False says that its model serves no more; then it "
               "isn't called again. Where it raises, callers are left to Python.");
    nb::class_<NamedModel>(module, "NamedModel", "A model as a method's codec knows it.")
        .def(nb::init<std::vector<std::string>, std::string, std::string, std::size_t, std::vector<std::size_t>>(),
             nb::kw_only(), "names"_a, "shown"_a, "version"_a, "dimension"_a, "sizes"_a,
             "Take the names by which requests ask for it, an empty one for those that name none; its name and version "
             "as responses have them; how many numbers its embeddings have, and the sizes that it offers.");
    nb::class_<GivenModel>(module, "LentModel", "A model as a fast path computes by it.")
        .def(nb::init<nb::object, nb::object, std::size_t>(), "tokenizer"_a.none(), "encoder"_a, nb::kw_only(),
             "max_tokens"_a,
             "Take what a WordPiece and an Encoder share; the model reads `max_tokens` of a sentence. Without a "
             "tokenizer Python reads all its requests, and no codec may know it.");
    nb::class_<GivenCodec>(module, "Codec", "What a fast path knows of a method: its requests and its responses.")
        .def_static("embed", &embed_codec, nb::kw_only(), "models"_a, "empty"_a,
                    "Return that of bothends.v1's Embed. `empty` is the status of a request without sentences.")
        .def_static("embed_stream", &embed_stream_codec, nb::kw_only(), "models"_a,
                    "Return that of EmbedStream's messages, by the same models.")
        .def_static(
            "constant", &constant_codec, "response"_a,
            "Return that of a method whose requests without a field have this response, unless a key has limits.")
        .def_static("infer", &infer_codec, nb::kw_only(), "models"_a,
                    "Return that of the Open Inference Protocol's ModelInfer.")
        .def_static(
            "infer_json", &infer_json_codec, nb::kw_only(), "models"_a,
            "Return that of the same over HTTP, in JSON, as which the models are shown, for the path of that one "
            "of them which has the empty name.")
        .def_static(
            "ollama_embed", &ollama_embed_codec, nb::kw_only(), "models"_a, "truncation"_a,
            "Return that of Ollama's POST /api/embed, in JSON, as which the models are shown. `truncation` is for "
            "requests that leave it to the server.")
        .def_static("ollama_embeddings", &ollama_embeddings_codec, nb::kw_only(), "models"_a, "truncation"_a,
                    "Return that of Ollama's POST /api/embeddings, whose requests have one text and say nothing of its "
                    "`truncation`, by the same models.")
        .def_static("openai", &openai_codec, nb::kw_only(), "models"_a, "truncation"_a,
                    "Return that of OpenAI's embeddings, in JSON, as which the models are shown. `truncation` is for "
                    "requests that ask for none.")
        .def_static("tei", &tei_codec, nb::kw_only(), "models"_a, "truncation"_a,
                    "Return that of text-embeddings-inference's embeddings, in JSON, by the first of the models. "
                    "`truncation` is for requests that leave it to the server.")
        .def_static("tei_message", &tei_message_codec, nb::kw_only(), "models"_a,
                    "Return that of the same over gRPC, a text a message, of calls and of streams.");
    nb::class_<FastPath>(module, "FastPath", "Plain requests of some methods, served in C++ by whoever comes to take.")
        .def("__init__", &construct_path, "transport"_a, "codecs"_a, "models"_a, nb::kw_only(), "max_small_sentences"_a,
             "max_bytes"_a, "max_together"_a, "max_bytes_together"_a, "max_runs"_a, "max_sentences"_a,
             "max_sentence_bytes"_a, "max_request_tokens"_a, nb::keep_alive<1, 2>(), nb::keep_alive<1, 4>(),
             "Serve plain requests by these models, in the order that the codecs have: small ones, which hold at most "
             "so "
             "many sentences and bytes, so many of them together, and long ones within `max_…` in slices. `codecs` are "
             "those of methods, by their places. About `max_runs` threads compute at once; others read what comes. "
             "Raises ValueError where something else is given.")
        .def("take_messages", &take_with_fast_path, "max_messages"_a, "wait_s"_a, "max_bytes"_a, "thread"_a,
             nb::kw_only(), "may_answer"_a = true,
             "Return what Transport.take_messages returns, and submissions that are over, once there is any or a while "
             "has passed, at most `wait_s`. Plain requests are served meanwhile, and submissions computed; with 0 "
             "seconds, what has come. Where it may not answer, Python gets plain requests too. `thread` is the calling "
             "thread's number, by which `overdue` knows it.")
        .def("submit", &submit, "id"_a, "model"_a, "ids"_a, "offsets"_a, nb::kw_only(), "deadline"_a = never,
             "spent"_a = 0.0,
             "Let sentences of a message, or request, that was taken and isn't answered yet wait in its caller's turn "
             "to "
             "be computed by the model of this index: int32 token ids, and int64 offsets [sentences + 1] of where each "
             "sentence begins. `take_messages` returns them, by the message's id. They are late once the time is "
             "`deadline`. Charges the caller with what was `spent`, in seconds of a core. Return False if the caller "
             "has left. Raises NoRoom if too much waits, and ValueError for a sentence without ids.")
        .def("served", &FastPath::served, nb::call_guard<nb::gil_scoped_release>(),
             "Return what was served since the last call of this, by any thread: everything whose answers a caller may "
             "have seen.")
        .def(
            "forgive",
            [](FastPath& path, std::uint64_t thread, double seconds) { path.runs().forgive(thread, seconds); },
            "thread"_a, "seconds"_a,
            "Exclude `seconds` from the time of this thread's run, if it has one, because the thread could not "
            "proceed.")
        .def(
            "overdue", [](FastPath& path, double seconds) { return path.runs().overdue(seconds); }, "seconds"_a,
            "Give up the runs that have taken longer than `seconds`, and return them.");
}

}  // namespace transport::python
