#include "table.hpp"

#include "../shared/half.hpp"

namespace bothends {

const float* EmbeddingTable::vector(std::int32_t token, int size, float* scratch) const {
    const std::size_t first = std::size_t(token) * size;
    if (!half) return static_cast<const float*>(numbers) + first;
    const std::uint16_t* row = static_cast<const std::uint16_t*>(numbers) + first;
    for (int at = 0; at < size; ++at) scratch[at] = from_half(row[at]);
    return scratch;
}

Table::Table(std::int64_t vocabulary, std::int64_t budget, std::size_t row_bytes)
    : vocabulary_(vocabulary),
      budget_(budget),
      row_bytes_(row_bytes),
      memory_(allocated(std::size_t(budget) * row_bytes)),
      rows_(new std::atomic<std::int32_t>[std::size_t(vocabulary)]) {
    for (std::int64_t token = 0; token < vocabulary; ++token) rows_[token].store(none, std::memory_order_relaxed);
}

char* Table::reserve(std::int32_t token) {
    if (rows() >= budget_) return nullptr;
    std::int32_t expected = none;
    if (!rows_[token].compare_exchange_strong(expected, reserved, std::memory_order_relaxed)) return nullptr;
    std::int64_t row = rows();
    while (row < budget_)
        if (used_.compare_exchange_weak(row, row + 1, std::memory_order_relaxed)) return at(row);
    rows_[token].store(none, std::memory_order_relaxed);
    return nullptr;
}

void Table::publish(std::int32_t token, const char* row) {
    const std::size_t index = std::size_t(row - memory_.get()) / row_bytes_;
    rows_[token].store(static_cast<std::int32_t>(index), std::memory_order_release);
}

}  // namespace bothends
