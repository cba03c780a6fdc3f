// Tokenizers to Python: texts in, ids out. The GIL is held: ids become Python's own while a text takes a microsecond, and letting
// go of it and getting it back may take longer than all of them. So a text has a greatest size here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unordered_map.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string_view>

#include "../shared/capsule.hpp"
#include "../shared/borrowed.hpp"
#include "utf8.hpp"
#include "wordpiece.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace wordpiece {
namespace {

constexpr Py_ssize_t max_text = 1 << 16;  // code points

std::u32string code_points(nb::handle text) {
    const std::size_t size = std::size_t(PyUnicode_GetLength(text.ptr()));
    std::u32string points(size + 1, 0);  // a zero comes after them
    static_assert(sizeof(Py_UCS4) == sizeof(char32_t));
    if (!PyUnicode_AsUCS4(text.ptr(), reinterpret_cast<Py_UCS4*>(points.data()), Py_ssize_t(size + 1), 1))
        throw nb::python_error();
    points.resize(size);
    return points;
}

void construct(WordPiece* self, std::unordered_map<std::string, std::uint32_t> vocabulary,
               const std::unordered_map<std::string, std::string>& characters, const std::vector<nb::str>& added,
               std::string prefix, std::string unknown, std::size_t max_chars) {
    Definition definition{std::move(vocabulary), {}, {}, std::move(prefix), std::move(unknown), max_chars};
    for (const auto& [character, written] : characters) {
        const std::u32string points = code_points(nb::str(character.c_str(), character.size()));
        if (points.size() != 1) throw std::invalid_argument("characters has a key that isn't one character");
        definition.characters[points[0]] = written;
    }
    for (const nb::str& token : added) definition.added.push_back(code_points(token));
    new (self) WordPiece(definition);
}

bool encode_utf8(const WordPiece& self, std::string_view text, std::size_t max_tokens, Ids& ids) {
    if (is_ascii(text)) return self.encode(reinterpret_cast<const Py_UCS1*>(text.data()), text.size(), max_tokens, ids);
    std::u32string points;
    return decode(text, points) &&
           self.encode(reinterpret_cast<const Py_UCS4*>(points.data()), points.size(), max_tokens, ids);
}

bool encode_text(const WordPiece& self, PyObject* text, std::size_t max_tokens, Ids& ids) {
    if (PyUnicode_GetLength(text) > max_text) return false;
    Py_ssize_t size = 0;
    const char* const bytes = PyUnicode_AsUTF8AndSize(text, &size);  // of an ASCII text its own; others keep theirs
    if (!bytes) PyErr_Clear();  // half a surrogate pair
    return bytes && encode_utf8(self, {bytes, std::size_t(size)}, max_tokens, ids);
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

bool encode_borrowed(const void* of, std::string_view text, std::size_t max_tokens, Ids& ids) {
    try {
        return encode_utf8(*static_cast<const WordPiece*>(of), text, max_tokens, ids);
    } catch (const std::bad_alloc&) {
        return false;  // each module may have a runtime of its own, so nothing is thrown from one into another
    }
}

nb::capsule share(nb::object self) {
    const auto& wordpiece = nb::cast<const WordPiece&>(self);
    return shared::capsule_of<shared::Tokenizer>({&wordpiece, &encode_borrowed}, std::move(self));
}

NB_MODULE(_wordpiece, module) {
    nb::set_leak_warnings(false);  // a process may end while a tokenizer serves
    nb::class_<WordPiece>(module, "WordPiece")
        .def("__init__", &construct, "vocabulary"_a, nb::kw_only(), "characters"_a, "added"_a, "prefix"_a, "unknown"_a,
             "max_chars"_a)
        .def("share", &share)
        .def("encode", &encode, "texts"_a, "max_tokens"_a, nb::kw_only(), "keep_end"_a = false);
}

}  // namespace
}  // namespace wordpiece
