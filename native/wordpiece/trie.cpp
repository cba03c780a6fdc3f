#include "trie.hpp"

#include <stdexcept>
#include <utility>

namespace wordpiece {

Trie::Node Trie::root() {
    if (ids_.size() == max_nodes) throw std::length_error("the vocabulary is too large");
    ids_.push_back(0);
    return Node(ids_.size() - 1);
}

void Trie::add(Node root, std::string_view entry, std::uint32_t id) {
    if (entry.empty()) return;
    Node node = root;
    Edge* last = nullptr;
    for (const char byte : entry) {
        if (ids_.size() * 2 > edges_.size()) grow();
        last = &edges_[place(key_of(node, byte))];
        if (!last->key) *last = {key_of(node, byte), this->root()};
        node = last->child & ~is_entry;
    }
    last->child |= is_entry;
    ids_[node] = id;
}

Trie::Match Trie::longest(Node root, std::string_view text) const {
    Node node = root, last = 0;
    std::size_t size = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Edge& edge = edges_[place(key_of(node, text[at++]))];
        if (!edge.key) break;
        node = edge.child & ~is_entry;
        if (!(edge.child & is_entry)) continue;
        last = node;
        size = at;
    }
    return {ids_[last], size};
}

void Trie::grow() {
    const std::vector<Edge> old = std::exchange(edges_, std::vector<Edge>(edges_.size() * 2));
    --shift_;
    for (const Edge& edge : old)
        if (edge.key) edges_[place(edge.key)] = edge;
}

}  // namespace wordpiece
