// A vocabulary that finds the longest of its entries with which a text begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace wordpiece {

/// Trie of byte strings with their ids. All edges are in one hash table by node and byte, so that a step is one memory
/// access.
class Trie {
public:
    using Node = std::uint32_t;

    struct Match {
        std::uint32_t id;
        std::size_t size;  // in bytes; 0: nothing matches
    };

    Trie() : edges_(1 << 10), ids_(1) {}

    /// Adds a root, whose entries are separate from those of other roots.
    Node root();

    /// Adds an entry, or replaces an equal one. Empty ones are left out, since no word is empty.
    void add(Node root, std::string_view entry, std::uint32_t id);

    /// Returns the longest entry that is a prefix of `text`.
    Match longest(Node root, std::string_view text) const;

private:
    struct Edge {
        std::uint32_t key = 0;  // 0: none
        std::uint32_t child = 0;  // and whether an entry ends there
    };

    static constexpr std::uint32_t max_nodes = 1 << 24;  // a key is a node and a byte
    static constexpr std::uint32_t is_entry = 1u << 31;

    static std::uint32_t key_of(Node node, char byte) { return node << 8 | static_cast<unsigned char>(byte); }

    /// Returns the slot of `key` in the hash table, or where it would be.
    std::size_t place(std::uint32_t key) const {
        std::size_t at = key * 0x9E3779B1u >> shift_;
        while (edges_[at].key && edges_[at].key != key) at = (at + 1) & (edges_.size() - 1);
        return at;
    }

    void grow();

    std::vector<Edge> edges_;  // a power of two of them, at most half full
    int shift_ = 32 - 10;      // of a hash: bits that name no slot
    std::vector<std::uint32_t> ids_;  // by node; node 0 is none
};

}  // namespace wordpiece
