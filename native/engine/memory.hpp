// Aligned memory that is freed with its owner. Not touched before it is used: pages that are never written cost
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

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

// The same for what is written at once and then read again and again. Where the system can, its pages are huge: memory
// that no cache holds is read faster, since what foresees reads stops at the end of a page.
inline Memory allocated_for_reading(std::size_t bytes) {
    Memory memory = allocated(bytes);
#if defined(__linux__)
    constexpr std::size_t page = 4096;  // of any size: the system takes its own multiple of it
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(memory.get()) % page;
    const std::size_t whole = bytes < before ? 0 : (bytes - before) / page * page;
    if (whole > 0) madvise(memory.get() + before, whole, MADV_HUGEPAGE);  // it may refuse
#endif
    return memory;
}

template <class T>
T* as(const Memory& memory) {
    return reinterpret_cast<T*>(memory.get());
}

}  // namespace bothends
