// Checks arrays from Python before anything reads them. Everything wrong is a ValueError that names it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <string>

namespace bothends {

namespace nb = nanobind;

using Array = nb::ndarray<nb::ro, nb::device::cpu>;

constexpr std::int64_t any_size = -1;

std::string described(const Array& array);  // "float64 [3, 4]"

// Throws std::invalid_argument unless the array has the shape and lies in one piece.
void must_be(const char* name, const Array& array, nb::dlpack::dtype dtype, std::initializer_list<std::int64_t> shape);

template <class T>
const T* numbers(const char* name, const Array& array, std::initializer_list<std::int64_t> shape) {
    must_be(name, array, nb::dtype<T>(), shape);
    return static_cast<const T*>(array.data());
}

constexpr nb::dlpack::dtype float16{static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};

}  // namespace bothends
