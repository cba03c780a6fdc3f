// The sink of a state: the top layer's states go on from here, before they are rounded to the precision's numbers.
// Included after a level's lanes. Each direction pools its own half, in the order of its own steps, which is the same in
// every batch and slot; nothing is padded, so no other step is seen.

ALWAYS_INLINE void pool(const Row& row, int unit, Lanes::Float h) {
    using L = Lanes;
    float* const at = row.pooled + unit;
    if (row.sink == Sink::max) h = L::larger(h, L::load(at));
    else if (row.sink == Sink::sum) h = L::add(L::load(at), h);
    L::store(at, h);
}
