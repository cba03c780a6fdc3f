#include "arrays.hpp"

#include <stdexcept>

namespace bothends {
namespace {

std::string named(nb::dlpack::dtype dtype) {
    const char* kind = "numbers of kind ";
    switch (static_cast<nb::dlpack::dtype_code>(dtype.code)) {
        case nb::dlpack::dtype_code::Int: kind = "int"; break;
        case nb::dlpack::dtype_code::UInt: kind = "uint"; break;
        case nb::dlpack::dtype_code::Float: kind = "float"; break;
        case nb::dlpack::dtype_code::Complex: kind = "complex"; break;
        case nb::dlpack::dtype_code::Bool: return "bool";
        default: return "another dtype";
    }
    return kind + std::to_string(dtype.bits);
}

std::string listed(std::size_t count, const std::int64_t* sizes) {
    std::string list = "[";
    for (std::size_t axis = 0; axis < count; ++axis)
        list += (axis ? ", " : "") + (sizes[axis] == any_size ? std::string("*") : std::to_string(sizes[axis]));
    return list + "]";
}

bool in_one_piece(const Array& array) {
    std::int64_t expected = 1;
    for (std::size_t axis = array.ndim(); axis-- > 0;) {
        if (array.shape(axis) == 0) return true;
        if (array.shape(axis) > 1 && array.stride(axis) != expected) return false;
        expected *= std::int64_t(array.shape(axis));
    }
    return true;
}

}  // namespace

std::string described(const Array& array) {
    std::string sizes;
    for (std::size_t axis = 0; axis < array.ndim(); ++axis)
        sizes += (axis ? ", " : "") + std::to_string(array.shape(axis));
    return named(array.dtype()) + " [" + sizes + "]";
}

void must_be(const char* name, const Array& array, nb::dlpack::dtype dtype, std::initializer_list<std::int64_t> shape) {
    bool fits = array.dtype() == dtype && array.ndim() == shape.size();
    for (std::size_t axis = 0; fits && axis < shape.size(); ++axis) {
        const std::int64_t size = shape.begin()[axis];
        fits = size == any_size || size == std::int64_t(array.shape(axis));
    }
    if (!fits)
        throw std::invalid_argument(std::string(name) + " is " + described(array) + "; expected " + named(dtype) + " " +
                                    listed(shape.size(), shape.begin()));
    if (!in_one_piece(array))
        throw std::invalid_argument(std::string(name) + " isn't contiguous; pass numpy.ascontiguousarray of it");
    if (reinterpret_cast<std::uintptr_t>(array.data()) % (dtype.bits / 8) != 0)
        throw std::invalid_argument(std::string(name) + " isn't aligned; pass a copy of it");
}

}  // namespace bothends
