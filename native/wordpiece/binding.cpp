// Tokenizers to Python: texts in, ids out. The GIL is held while a text is short: ids become Python's own while it takes a
// microsecond, and letting go of the GIL and getting it back may take longer than all of them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unordered_map.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <string_view>

#include "../shared/borrowed.hpp"
#include "../shared/capsule.hpp"
#include "wordpiece.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace wordpiece {
namespace {

constexpr Py_ssize_t short_bytes = 1 << 14;

/// Reads what Python says of a character: None, a text, or (rank, text) of each part.
Answer answer_of(nb::handle told, bool is_word) {
    if (told.is_none()) return {{}, is_word};
    if (PyUnicode_Check(told.ptr())) return {nb::cast<std::string>(told), is_word};
    std::vector<Part> parts;
    for (const nb::handle part : told) {
        auto [rank, written] = nb::cast<std::tuple<std::uint8_t, std::string>>(part);
        parts.push_back({rank, std::move(written)});
    }
    return {std::move(parts), is_word};
}

/// Asks Python, whoever asks: it takes the GIL, unless the calling thread has it.
Characters::Ask asking(nb::callable ask) {
    return [ask = std::move(ask)](char32_t first) {
        const nb::gil_scoped_acquire acquire;
        std::vector<Answer> answers;
        for (const nb::handle told : ask(std::uint32_t(first))) {
            const nb::tuple pair = nb::cast<nb::tuple>(told);
            answers.push_back(answer_of(pair[0], nb::cast<bool>(pair[1])));
        }
        return answers;
    };
}

void construct(WordPiece* self, std::unordered_map<std::string, std::uint32_t> vocabulary, nb::callable ask,
               const std::vector<std::tuple<std::string, std::uint32_t, bool>>& added, Ids before, Ids after,
               std::optional<std::string> prefix, std::optional<std::string> unknown, std::size_t max_chars) {
    Definition definition{std::move(vocabulary), asking(std::move(ask)), {},       std::move(before), std::move(after),
                          std::move(prefix),     std::move(unknown),     max_chars};
    for (const auto& [content, id, is_single_word] : added) definition.added.push_back({content, id, is_single_word});
    new (self) WordPiece(definition);
}

bool encode_text(const WordPiece& self, PyObject* text, std::size_t max_tokens, Ids& ids) {
    Py_ssize_t size = 0;
    const char* const bytes = PyUnicode_AsUTF8AndSize(text, &size);  // of an ASCII text its own; others keep theirs
    if (!bytes) PyErr_Clear();  // half a surrogate pair
    std::optional<nb::gil_scoped_release> released;
    if (size > short_bytes) released.emplace();
    return bytes && self.encode({bytes, std::size_t(size)}, max_tokens, ids);
}

nb::object list_of(const std::uint32_t* ids, std::size_t count) {
    nb::object list = nb::steal(PyList_New(Py_ssize_t(count)));
    if (!list.is_valid()) throw nb::python_error();
    for (std::size_t index = 0; index < count; ++index) {
        PyObject* id = PyLong_FromUnsignedLong(ids[index]);
        if (!id) throw nb::python_error();
        PyList_SetItem(list.ptr(), Py_ssize_t(index), id);  // takes it over
    }
    return list;
}

nb::list encode(const WordPiece& self, const nb::sequence& texts, std::size_t max_tokens, bool keep_end) {
    nb::list found;
    Ids ids;
    for (const nb::handle text : texts) {
        if (!PyUnicode_Check(text.ptr())) throw nb::type_error("a text is no str");
        ids.clear();
        if (!encode_text(self, text.ptr(), keep_end ? SIZE_MAX : max_tokens, ids)) {
            found.append(nb::none());
            continue;
        }
        const std::size_t kept = std::min(ids.size(), max_tokens);
        found.append(nb::make_tuple(list_of(keep_end ? ids.data() + ids.size() - kept : ids.data(), kept),
                                    ids.size() > max_tokens));
    }
    return found;
}

const std::uint32_t* encode_borrowed(const void* of, const char* text, std::size_t bytes, std::size_t max_tokens,
                                     std::size_t& count) {
    constexpr std::size_t most_kept = 1 << 16;  // ids: a long text's memory isn't kept by each thread that met one
    static thread_local Ids ids;
    try {
        if (ids.capacity() > most_kept) ids = Ids();
        ids.clear();
        if (!static_cast<const WordPiece*>(of)->encode({text, bytes}, max_tokens, ids)) return nullptr;
    } catch (const std::exception&) {
        return nullptr;
    }
    count = ids.size();
    return ids.data();
}

bool continues_borrowed(const void* of, std::uint32_t id) { return static_cast<const WordPiece*>(of)->continues(id); }

nb::capsule share(nb::object self) {
    const auto& wordpiece = nb::cast<const WordPiece&>(self);
    return shared::capsule_of<shared::Tokenizer>({&wordpiece, &encode_borrowed, &continues_borrowed}, std::move(self));
}

NB_MODULE(_wordpiece, module) {
    nb::set_leak_warnings(false);  // a process may end while a tokenizer serves
    nb::class_<WordPiece>(module, "WordPiece")
        .def("__init__", &construct, "vocabulary"_a, nb::kw_only(), "ask"_a, "added"_a = nb::tuple(),
             "before"_a = nb::tuple(), "after"_a = nb::tuple(), "prefix"_a = nb::none(), "unknown"_a = nb::none(),
             "max_chars"_a = SIZE_MAX)
        .def("share", &share)
        .def("encode", &encode, "texts"_a, "max_tokens"_a, nb::kw_only(), "keep_end"_a = false);
}

}  // namespace
}  // namespace wordpiece
