// Capsules of what is lent: Python carries them from module to module.
#pragma once

#include <nanobind/nanobind.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace lent {

/// Makes the capsule of what `lender` lends.
template <typename Lent>
nanobind::capsule capsule_of(const Lent& lent, nanobind::object lender) {
    struct Loan {
        Lent lent;
        nanobind::object lender;
    };
    auto* const loan = new Loan{lent, std::move(lender)};
    return nanobind::capsule(&loan->lent, Lent::name, [](void* lent) noexcept { delete reinterpret_cast<Loan*>(lent); });
}

/// Returns what a capsule holds. Throws nanobind::value_error where that is something else.
template <typename Lent>
const Lent& borrowed(const nanobind::capsule& capsule) {
    if (std::string_view(capsule.name() ? capsule.name() : "") != Lent::name)
        throw nanobind::value_error((std::string("expected a capsule of ") + Lent::name).c_str());
    return *static_cast<const Lent*>(capsule.data());
}

}  // namespace lent
