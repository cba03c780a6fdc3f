// Capsules of what is shared: Python carries them from module to module.
#pragma once

#include <nanobind/nanobind.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace shared {

/// Makes the capsule of what `lender` lends.
template <typename Borrowed>
nanobind::capsule capsule_of(const Borrowed& borrowed, nanobind::object lender) {
    struct Loan {
        Borrowed borrowed;
        nanobind::object lender;
    };
    auto* const loan = new Loan{borrowed, std::move(lender)};
    return nanobind::capsule(&loan->borrowed, Borrowed::name, [](void* borrowed) noexcept { delete reinterpret_cast<Loan*>(borrowed); });
}

/// Returns what a capsule holds. Throws nanobind::value_error where that is something else.
template <typename Borrowed>
const Borrowed& borrowed(const nanobind::capsule& capsule) {
    if (std::string_view(capsule.name() ? capsule.name() : "") != Borrowed::name)
        throw nanobind::value_error((std::string("expected a capsule of ") + Borrowed::name).c_str());
    return *static_cast<const Borrowed*>(capsule.data());
}

}  // namespace shared
