#include "chain.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace bothends {
namespace {

constexpr std::size_t rounded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// A step of every row, block by block, so that a block's weights serve all rows while they are near. Rows are shared
// out evenly: 7 as 4 and 3, since a tile of one row waits for its weights. `back` is from the last block to the first.
void over_blocks(const Level& level, const Tiles& tiles, const PackedWeights& packed, const std::vector<Row>& rows,
                 bool back) {
    const int count = static_cast<int>(rows.size()), groups = (count + level.rows - 1) / level.rows;
    const std::ptrdiff_t start_bytes = std::ptrdiff_t(gates) * level.width * (packed.half_start ? 2 : 4);
    const int last = packed.blocks - 1;
    for (int turn = 0; turn <= last; ++turn) {
        const int block = back ? last - turn : turn, next = std::clamp(back ? block - 1 : block + 1, 0, last);
        for (int group = 0; group < groups; ++group) {
            const int from = count * group / groups, to = count * (group + 1) / groups;
            for (int row = from; row < to; ++row)  // a table's row comes from far away, piece by piece
                for (std::ptrdiff_t at = 0; at < start_bytes; at += 64)
                    __builtin_prefetch(rows[row].start + next * start_bytes + at);
            tiles.of[to - from - 1](packed, block, &rows[from]);
        }
    }
}

}  // namespace

Chain::Chain(const Shape& shape, int slots) : shape_(shape), slots_(slots) {
    const std::size_t state = rounded(shape.largest([](const LayerShape& layer) { return layer.state_bytes(); })),
                      floats =
                          rounded(shape.largest([](const LayerShape& layer) { return layer.units(); }) * sizeof(float)),
                      start = rounded(shape.layers.front().start_bytes()),
                      embedding = rounded(shape.embedding * sizeof(float)),
                      each = 2 * state + 2 * floats + start + embedding;
    memory_ = allocated(each * slots);
    char* at = memory_.get();
    for (Slot& slot : slots_) {
        const auto next = [&at](std::size_t bytes) { return std::exchange(at, at + bytes); };
        slot.own[0] = next(state), slot.own[1] = next(state);
        slot.cell = reinterpret_cast<float*>(next(floats)), slot.last = reinterpret_cast<float*>(next(floats));
        slot.start = next(start), slot.embedding = reinterpret_cast<float*>(next(embedding));
    }
    rows_.reserve(slots), missing_.reserve(slots), made_.reserve(slots);
}

bool Chain::run(Pass& pass, const Stop& stop) {
    active_ = 0;
    const Level& level = *shape_.level;
    // Every other step goes back: what a cache still holds of weights that are larger than it is what was read last.
    const bool large = pass.packed.blocks * pass.packed.block_bytes > (512 << 10);  // for a core's own cache
    for (bool back = false;; back = large && !back) {
        refill(pass);
        if (active_ == 0) return true;
        if (stop.asked()) return false;
        prepare(pass);
        over_blocks(level, level.step[static_cast<int>(shape_.precision)], pass.packed, rows_, back);
        advance(pass);
    }
}

void Chain::refill(Pass& pass) {
    while (active_ < static_cast<int>(slots_.size())) {
        if (pass.next.load(std::memory_order_relaxed) >= pass.sentences.count) return;
        const std::int64_t index = pass.next.fetch_add(1, std::memory_order_relaxed);
        if (index >= pass.sentences.count) return;
        begin(pass, slots_[active_++], pass.sentences.order[index]);
    }
}

void Chain::begin(const Pass& pass, Slot& slot, std::int64_t sentence) {
    slot.sentence = sentence;
    slot.first = pass.sentences.offsets[sentence];
    slot.length = pass.sentences.offsets[sentence + 1] - slot.first;
    slot.done = 0;
    slot.state = slot.own[1];
    std::memset(slot.own[1], pass.sizes().zero(), pass.sizes().state_bytes());
    std::memset(slot.cell, 0, pass.sizes().units() * sizeof(float));
}

void Chain::prepare(const Pass& pass) {
    const std::size_t state = pass.sizes().state_bytes();
    const std::size_t own = shape_.states_bytes(pass.layer),
                      below = pass.below ? shape_.states_bytes(pass.layer - 1) : 0;
    rows_.clear(), missing_.clear(), made_.clear();
    for (int index = 0; index < active_; ++index) {
        Slot& slot = slots_[index];
        const std::int64_t at = token(pass, slot);
        const std::size_t place = std::size_t(at - pass.sentences.first_token);
        Row row{nullptr, slot.state, reinterpret_cast<const char*>(pass.packed.bias), slot.cell, nullptr, nullptr};
        row.next = pass.above ? pass.above + place * own + (pass.backward ? state : 0) : slot.own[slot.done & 1];
        if (!pass.above && slot.done == slot.length - 1) row.last = slot.last;
        if (pass.inputs.table) {
            const std::int32_t token_id = pass.sentences.token_ids[at];
            row.start = pass.inputs.table->find(token_id);
            if (!row.start) row.start = missing(pass, slot, token_id);
        } else {
            row.input = pass.below + place * below;
        }
        rows_.push_back(row);
    }
    if (!missing_.empty()) fold(pass);
}

const char* Chain::missing(const Pass& pass, Slot& slot, std::int32_t token_id) {
    const Inputs& inputs = pass.inputs;
    char* row = inputs.table->reserve(token_id);
    if (row) made_.push_back({token_id, row});
    else row = slot.start;
    const float* vector = inputs.embeddings->vector(token_id, shape_.embedding, slot.embedding);
    missing_.push_back({reinterpret_cast<const char*>(vector), nullptr,
                        reinterpret_cast<const char*>(inputs.fold->bias), nullptr, row, nullptr});
    return row;
}

void Chain::fold(const Pass& pass) {
    over_blocks(*shape_.level, shape_.level->fold[pass.sizes().half_table()], *pass.inputs.fold, missing_, false);
    for (const Made& made : made_) pass.inputs.table->publish(made.token, made.row);
}

void Chain::advance(const Pass& pass) {
    for (int index = 0; index < active_;) {
        Slot& slot = slots_[index];
        slot.state = rows_[index].next;
        if (++slot.done < slot.length) {
            ++index;
            continue;
        }
        if (!pass.above) finish(pass, slot);
        --active_;  // the last running sentence takes its place, with the memory of its slot
        std::swap(slot, slots_[active_]);
        rows_[index] = rows_[active_];
    }
}

void Chain::finish(const Pass& pass, const Slot& slot) const {
    const int hidden = pass.sizes().hidden;
    float* row = pass.rows + slot.sentence * shape_.dimension() + (pass.backward ? hidden : 0);
    std::memcpy(row, slot.last, hidden * sizeof(float));
}

}  // namespace bothends
