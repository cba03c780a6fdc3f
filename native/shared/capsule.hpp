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

/// Returns the object in a capsule. Throws nanobind::value_error if `given` is no capsule of that type.
template <typename Borrowed>
const Borrowed& borrowed(nanobind::handle given) {
    if (!PyCapsule_IsValid(given.ptr(), Borrowed::name))
        throw nanobind::value_error((std::string("expected a capsule of ") + Borrowed::name).c_str());
    return *static_cast<const Borrowed*>(PyCapsule_GetPointer(given.ptr(), Borrowed::name));
}

}  // namespace shared
