// Lends a Python callable as an encoder: an engine that native code can't call, such as onnxruntime, computes for the fast path.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "../shared/borrowed.hpp"
#include "../shared/capsule.hpp"

namespace transport::python {

namespace nb = nanobind;

/// Encoder that calls Python once for all sentences of a run, and holds the GIL for that call only.
class CalledEncoder {
public:
    CalledEncoder(nb::callable run, std::size_t dimension) : run_(std::move(run)), dimension_(dimension) {}

    /// Implements shared::Encoder::run. The arrays passed to the callable are views, invalid after it has returned.
    bool run(const std::int32_t* ids, const std::int64_t* offsets, std::size_t sentences, float* rows) {
        const nb::gil_scoped_acquire acquire;
        try {
            const nb::object is_whole =
                run_(view<nb::ndim<1>>(ids, {std::size_t(offsets[sentences])}),
                     view<nb::ndim<1>>(offsets, {sentences + 1}), view<nb::ndim<2>>(rows, {sentences, dimension_}));
            if (!nb::cast<bool>(is_whole)) {
                ++stops_;
                return false;
            }
        } catch (const std::exception&) {
            return false;  // who asked asks again where errors are told
        }
        return shared::are_finite(rows, sentences * dimension_);
    }

    std::uint64_t stops() const { return stops_; }

private:
    template <class Dimensions, class Number>
    static nb::object view(Number* numbers, std::initializer_list<std::size_t> sizes) {
        return nb::cast(nb::ndarray<nb::numpy, Number, Dimensions>(numbers, sizes), nb::rv_policy::reference);
    }

    const nb::callable run_;
    const std::size_t dimension_;
    std::atomic<std::uint64_t> stops_{0};
};

/// Makes the capsule of an encoder that calls `run`.
inline nb::capsule called_encoder(nb::callable run, std::size_t dimension) {
    auto made = std::make_unique<CalledEncoder>(std::move(run), dimension);
    const shared::Encoder borrowed{
        made.get(), dimension,
        [](void* of, const std::int32_t* ids, const std::int64_t* offsets, std::size_t sentences, float* rows,
           double&) { return static_cast<CalledEncoder*>(of)->run(ids, offsets, sentences, rows); },
        [](void* of) { return static_cast<CalledEncoder*>(of)->stops(); }};
    nb::capsule owner(made.get(), [](void* of) noexcept { delete static_cast<CalledEncoder*>(of); });
    made.release();
    return shared::capsule_of(borrowed, std::move(owner));
}

}  // namespace transport::python
