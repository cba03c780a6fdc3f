// Capsules of what is shared: Python carries them from module to module.
#pragma once

#include <nanobind/nanobind.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace shared {

/// Makes the capsule of an object that `lender` keeps alive.
template <typename Borrowed>
nanobind::capsule capsule_of(const Borrowed& borrowed, nanobind::object lender) {
    struct Loan {
        Borrowed borrowed;
        nanobind::object lender;
    };
    auto* const loan = new Loan{borrowed, std::move(lender)};
    return nanobind::capsule(&loan->borrowed, Borrowed::name,
                             [](void* lent) noexcept { delete reinterpret_cast<Loan*>(lent); });
}

/// Returns the object in a capsule. Throws nanobind::value_error if `given` is no capsule of that type, or of a module of
/// another build.
template <typename Borrowed>
const Borrowed& borrowed(nanobind::handle given) {
    if (PyCapsule_IsValid(given.ptr(), Borrowed::name))
        return *static_cast<const Borrowed*>(PyCapsule_GetPointer(given.ptr(), Borrowed::name));
    const std::string expected(Borrowed::name), kind = expected.substr(0, expected.find(' '));
    const char* const name = PyCapsule_CheckExact(given.ptr()) ? PyCapsule_GetName(given.ptr()) : nullptr;
    const std::string found(name ? name : "");
    if (found.substr(0, found.find(' ')) != kind)
        throw nanobind::value_error(("expected a capsule of " + kind).c_str());
    throw nanobind::value_error(("expected a capsule of " + expected + ", not of " + found +
                                 ": the modules of bothends-native are of different builds; install it anew")
                                    .c_str());
}

}  // namespace shared
