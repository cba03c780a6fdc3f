#include "chain.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace bothends {
namespace {

constexpr std::size_t rounded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

constexpr int max_rows_ahead = 48;  // of one product of inputs: weights are read once for eight full tiles

// Words that are added for all rows, where their sums are kept, and how blocks follow each other.
struct Walk {
    int from, to;
    std::ptrdiff_t sums_bytes;  // of a block, in Row::sums
    bool back;                  // from the last block to the first
};

// A step of every row, or a part of it, block by block, so that a block's weights serve all rows while they are near.
// Rows are shared out evenly: 7 as 4 and 3, since a tile of one row waits for its weights.
void over_blocks(const Level& level, const Tiles& tiles, const PackedWeights& packed, const std::vector<Row>& rows,
                 Walk walk) {
    const int count = static_cast<int>(rows.size()), groups = (count + level.rows - 1) / level.rows;
    const int most = count == 1 && tiles.wide ? level.wide_blocks : 1;
    for (int turn = 0, each = most; turn < packed.blocks; turn += each) {
        if (packed.blocks - turn < most) each = 1;
        const int last = packed.blocks - each, block = walk.back ? last - turn : turn;
        const int next = std::clamp(walk.back ? block - each : block + each, 0, last);
        const Part part{walk.from, walk.to, block * walk.sums_bytes};
        for (int group = 0; group < groups; ++group) {
            const int from = count * group / groups, to = count * (group + 1) / groups;
            for (int row = from; row < to; ++row)  // a table's row comes from far away, piece by piece
                for (std::ptrdiff_t at = 0; at < each * packed.start_bytes; at += 64)
                    __builtin_prefetch(rows[row].start + next * packed.start_bytes + at);
            const Tile tile = each > 1 ? tiles.wide : tiles.of[to - from - 1];
            tile(packed, block, &rows[from], part);
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
                      apart = shape.cell == Cell::gru_reset_before ? state + 2 * floats : 0,
                      each = 2 * state + 3 * floats + apart + start + embedding;
    // For layers above the first.
    const std::size_t sums = shape.largest([](const LayerShape& layer) { return layer.sums_bytes(); });
    memory_ = allocated(each * slots + (shape.layers.size() > 1 ? max_rows_ahead * sums : 0));
    char* at = memory_.get();
    for (Slot& slot : slots_) {
        const auto next = [&at](std::size_t bytes) { return std::exchange(at, at + bytes); };
        slot.own[0] = next(state), slot.own[1] = next(state);
        const auto next_floats = [&] { return reinterpret_cast<float*>(next(floats)); };
        slot.cell = next_floats(), slot.pooled[0] = next_floats(), slot.pooled[1] = next_floats();
        if (apart > 0) slot.reset = next(state), slot.update = next_floats(), slot.candidate = next_floats();
        slot.start = next(start), slot.embedding = reinterpret_cast<float*>(next(embedding));
    }
    ahead_ = at;
    rows_.reserve(std::max(slots, max_rows_ahead)), missing_.reserve(slots), made_.reserve(slots);
}

Ending Chain::run(Pass& pass, const Stop& stop, Cores::Helper* helper) {
    active_ = 0;
    return go_on(pass, stop, helper);
}

Ending Chain::go_on(Pass& pass, const Stop& stop, Cores::Helper* helper) {
    const Level& level = *shape_.level;
    const CellTiles& tiles = level.tiles[static_cast<int>(shape_.precision)];
    // Every other step goes back: what a cache still holds of weights that are larger than it is what was read last.
    const bool large = pass.packed.blocks * pass.packed.block_bytes > (512 << 10);  // for a core's own cache
    for (bool back = false;; back = large && !back) {
        refill(pass);
        if (active_ == 0) return Ending::whole;
        if (stop.asked()) return Ending::stopped;
        if (helper && helper->leaves()) return Ending::left;
        const bool ahead = begin_ahead(pass);
        prepare(pass);
        over_blocks(level, tiles.step[static_cast<int>(shape_.cell)], pass.packed, rows_,
                    {ahead ? pass.packed.input_words : 0, pass.packed.words(), level.sums_bytes(), back});
        if (shape_.cell == Cell::gru_reset_before) {
            const PackedWeights& candidate = pass.cell.candidate.packed;
            over_blocks(level, tiles.candidate, candidate, rows_, {0, candidate.words(), 0, back});
        }
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
    slot.done = slot.begun = 0;
    slot.state = slot.own[1];
    std::memcpy(slot.own[1], pass.cell.initial_state.get(), pass.sizes().state_bytes());
    std::memcpy(slot.cell, pass.cell.initial_cell.data(), pass.sizes().units() * sizeof(float));
}

// Adds the inputs of steps to come, as rows of full tiles, where sentences are too few to fill them and no more come.
// Returns whether the steps of all slots are begun so, and only states are left to add.
bool Chain::begin_ahead(const Pass& pass) {
    const Level& level = *shape_.level;
    const std::size_t sums_bytes = pass.sizes().sums_bytes();
    const bool more = pass.next.load(std::memory_order_relaxed) < pass.sentences.count;
    if (!pass.below || more || active_ >= 2 * level.rows) return false;
    const auto is_begun = [](const Slot& slot) { return slot.done < slot.begun; };
    if (std::all_of(slots_.begin(), slots_.begin() + active_, is_begun)) return true;
    rows_.clear();
    for (int index = 0; index < active_; ++index) {
        Slot& slot = slots_[index];
        slot.sums = ahead_ + rows_.size() * sums_bytes;
        slot.begun = std::min(slot.length, slot.done + max_rows_ahead / active_);
        for (std::int64_t step = slot.done; step < slot.begun; ++step) {
            Row row{};
            row.input = pass.below + states_at(pass, pass.layer - 1, token(pass, slot, step));
            row.start = reinterpret_cast<const char*>(pass.packed.bias);
            row.sums = ahead_ + rows_.size() * sums_bytes;
            rows_.push_back(row);
        }
    }
    const CellTiles& tiles = level.tiles[static_cast<int>(shape_.precision)];
    over_blocks(level, tiles.step[static_cast<int>(shape_.cell)], pass.packed, rows_,
                {0, pass.packed.input_words, level.sums_bytes(), false});
    return true;
}

void Chain::prepare(const Pass& pass) {
    const std::size_t state = pass.sizes().state_bytes();
    rows_.clear(), missing_.clear(), made_.clear();
    for (int index = 0; index < active_; ++index) {
        Slot& slot = slots_[index];
        const std::int64_t at = token(pass, slot, slot.done);
        Row row{};
        row.state = slot.state, row.start = reinterpret_cast<const char*>(pass.packed.bias), row.cell = slot.cell;
        row.reset = slot.reset, row.update = slot.update, row.candidate = slot.candidate, row.sums = slot.sums;
        row.next = pass.above ? pass.above + states_at(pass, pass.layer, at) + (pass.backward ? state : 0)
                              : slot.own[slot.done & 1];
        if (!pass.above) sink(pass, slot, row);
        if (pass.inputs.table) {
            const std::int32_t token_id = pass.sentences.token_ids[at];
            row.start = pass.inputs.table->find(token_id);
            if (!row.start) row.start = missing(pass, slot, token_id);
        } else {
            row.input = pass.below + states_at(pass, pass.layer - 1, at);
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
    Row to{};
    to.input = reinterpret_cast<const char*>(vector), to.start = reinterpret_cast<const char*>(inputs.fold->bias);
    to.next = row;
    missing_.push_back(to);
    return row;
}

void Chain::fold(const Pass& pass) {
    over_blocks(*shape_.level, shape_.level->fold[pass.sizes().half_table()], *pass.inputs.fold, missing_,
                {0, pass.inputs.fold->words(), 0, false});
    for (const Made& made : made_) pass.inputs.table->publish(made.token, made.row);
}

void Chain::advance(const Pass& pass) {
    for (int index = 0; index < active_;) {
        Slot& slot = slots_[index];
        slot.state = rows_[index].next;
        if (slot.done < slot.begun) slot.sums += pass.sizes().sums_bytes();
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

// Says which of a top layer's states are taken, and how. Each direction counts its own steps, so that the mean's sum is in
// their order.
void Chain::sink(const Pass& pass, const Slot& slot, Row& row) const {
    if (pass.sinks.steps) {
        const std::size_t place = std::size_t(token(pass, slot, slot.done) - pass.sentences.first_token);
        row.pooled = pass.sinks.steps + (place * shape_.directions + pass.backward) * pass.sizes().units();
        return;
    }
    const bool is_first = slot.done == 0, is_last = slot.done == slot.length - 1;
    float* const pooled = slot.pooled[0];
    switch (shape_.pooling) {
        case Pooling::final_states: row.pooled = is_last ? pooled : nullptr; break;
        case Pooling::last_output: row.pooled = (pass.backward ? is_first : is_last) ? pooled : nullptr; break;
        case Pooling::first_and_last_output: row.pooled = is_first ? pooled : is_last ? slot.pooled[1] : nullptr; break;
        case Pooling::max: row.pooled = pooled, row.sink = is_first ? Sink::store : Sink::max; break;
        case Pooling::mean: row.pooled = pooled, row.sink = is_first ? Sink::store : Sink::sum; break;
        case Pooling::attention: break;
    }
}

void Chain::finish(const Pass& pass, const Slot& slot) const {
    const Sinks& sinks = pass.sinks;
    if (sinks.steps) return;
    const int hidden = pass.sizes().hidden;
    float* row = sinks.pooled + (slot.sentence - sinks.first_sentence) * sinks.pooled_size + pass.backward * hidden;
    const float *first = slot.pooled[0], *last = slot.length > 1 ? slot.pooled[1] : first;
    if (shape_.pooling == Pooling::mean) {
        const float length = static_cast<float>(slot.length);
        std::transform(first, first + hidden, row, [length](float sum) { return sum / length; });
    } else if (shape_.pooling == Pooling::first_and_last_output) {
        std::memcpy(row, pass.backward ? last : first, hidden * sizeof(float));
        std::memcpy(row + shape_.directions * hidden, pass.backward ? first : last, hidden * sizeof(float));
    } else {
        std::memcpy(row, first, hidden * sizeof(float));
    }
}

}  // namespace bothends
