#include "trie.hpp"

#include <bit>
#include <stdexcept>
#include <utility>

namespace wordpiece {

Trie::Node Trie::root() {
    if (ids_.size() == max_nodes) throw std::length_error("the vocabulary is too large");
    ids_.push_back(no_id);
    return Node(ids_.size() - 1);
}

void Trie::add(Node root, std::string_view entry, std::uint32_t id) {
    if (entry.empty()) return;
    Node node = root;
    for (const char byte : entry) {
        if (ids_.size() * 2 > edges_.size()) grow();
        Edge& edge = edges_[place(key_of(node, byte))];
        if (!edge.key) edge = {key_of(node, byte), this->root()};
        node = edge.child;
    }
    ids_[node] = id;
}

Trie::Match Trie::longest(Node root, std::string_view text) const {
    Match found{0, 0};
    Node node = root;
    for (std::size_t at = 0; at < text.size();) {
        node = edges_[place(key_of(node, text[at++]))].child;
        if (!node) break;
        if (ids_[node] != no_id) found = {std::uint32_t(ids_[node]), at};
    }
    return found;
}

/// Returns the slot of `key` in the hash table, or where it would be.
std::size_t Trie::place(std::uint32_t key) const {
    std::size_t at = key * 0x9E3779B1u >> (32 - std::countr_zero(edges_.size()));
    while (edges_[at].key && edges_[at].key != key) at = (at + 1) & (edges_.size() - 1);
    return at;
}

void Trie::grow() {
    const std::vector<Edge> old = std::exchange(edges_, std::vector<Edge>(edges_.size() * 2));
    for (const Edge& edge : old)
        if (edge.key) edges_[place(edge.key)] = edge;
}

}  // namespace wordpiece
