// One direction's folded inputs: token → W·e + b in tile order, made when the token is first seen. Safe to use from
// several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "memory.hpp"
#include "shape.hpp"

namespace bothends {

/// The embedding table as it was given; it stays its owner's.
struct EmbeddingTable {
    const void* numbers;  // [vocabulary, shape.embedding]
    bool half;            // float16; else float32
    std::int64_t vocabulary;

    // A token's vector as float32: a pointer into the table, or into `scratch`, to which it is widened.
    const float* vector(std::int32_t token, int size, float* scratch) const;
};

/// Folded inputs of one direction, by token: rows that are made once and read by all threads.
class Table {
public:
    // Keeps at most `budget` rows.
    Table(std::int64_t vocabulary, std::int64_t budget, std::size_t row_bytes);

    // The row of a token, or nullptr if there is none yet.
    const char* find(std::int32_t token) const {
        const std::int32_t row = rows_[token].load(std::memory_order_acquire);
        return row >= 0 ? at(row) : nullptr;
    }

    // Memory for the row of a token that `find` doesn't find. A caller that gets it fills it, then calls `publish`.
    // nullptr if the budget is spent or another thread has reserved the token: the caller computes the row for itself.
    char* reserve(std::int32_t token);
    void publish(std::int32_t token, const char* row);

    std::int64_t rows() const { return used_.load(std::memory_order_relaxed); }
    std::size_t bytes() const { return std::size_t(rows()) * row_bytes_ + std::size_t(vocabulary_) * sizeof(rows_[0]); }

private:
    enum : std::int32_t { none = -1, reserved = -2 };
    char* at(std::int64_t row) const { return memory_.get() + std::size_t(row) * row_bytes_; }

    std::int64_t vocabulary_, budget_;
    std::size_t row_bytes_;
    Memory memory_;  // of the whole budget; the system gives pages as rows are written
    std::unique_ptr<std::atomic<std::int32_t>[]> rows_;
    std::atomic<std::int64_t> used_{0};
};

}  // namespace bothends
