// Aligned memory that is freed with its owner. Not touched before it is used: pages that are never written cost
// nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "tiles.hpp"

namespace bothends {

/// Frees aligned memory.
struct Deleter {
    void operator()(char* memory) const { ::operator delete(memory, std::align_val_t(alignment)); }
};
using Memory = std::unique_ptr<char, Deleter>;

inline Memory allocated(std::size_t bytes) {
    return Memory(static_cast<char*>(::operator new(bytes, std::align_val_t(alignment))));
}

template <class T>
T* as(const Memory& memory) {
    return reinterpret_cast<T*>(memory.get());
}

}  // namespace bothends
