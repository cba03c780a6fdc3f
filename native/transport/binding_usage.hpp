// The count of a key's share to Python. Its lock is taken with the GIL: whoever has it wants nothing else, for a moment.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>

#include "usage.hpp"

namespace transport::python {

namespace nb = nanobind;
using namespace nb::literals;

inline void bind_usage(nb::module_& module) {
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

}  // namespace transport::python
