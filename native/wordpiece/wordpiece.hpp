// The tokenizer: it turns text into ids of a WordPiece vocabulary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "characters.hpp"
#include "trie.hpp"

namespace wordpiece {

using Ids = std::vector<std::uint32_t>;

/// Token that is no word: it is looked for in the text as it came.
struct Added {
    std::string content;  // an empty one is never found
    std::uint32_t id;
    bool is_single_word;  // found only where no letter or digit touches it
};

/// Definition of a tokenizer. Its texts are UTF-8.
struct Definition {
    std::unordered_map<std::string, std::uint32_t> vocabulary;
    Characters::Ask ask;  // what becomes of characters
    std::vector<Added> added;
    Ids before, after;                   // what is set around a text's own
    std::optional<std::string> prefix;   // of entries that go on with a word; without it each entry is a whole word
    std::optional<std::string> unknown;  // the entry of a word that can't be spelt; without it such a word has none
    std::size_t max_chars;               // of a word; a longer one is unknown
};

/// WordPiece tokenizer without knowledge of Unicode: it asks what becomes of the characters that it meets, and a text
/// with one that isn't known is declined, as is one with nothing but what is set around it. Safe to use from several threads at once.
class WordPiece {
public:
    explicit WordPiece(const Definition& definition);

    /// Appends the ids of a text in UTF-8: all of them, or if there are more than `max_tokens`, more than `max_tokens`
    /// of the first. Returns false if it can't; then `ids` is undefined. Throws what `ask` throws.
    bool encode(std::string_view text, std::size_t max_tokens, Ids& ids) const;

    /// Returns whether the entry with this id goes on with a word.
    bool continues(std::uint32_t id) const { return id < continuing_.size() && continuing_[id]; }

private:
    class Text;

    struct Found {
        std::uint32_t id;
        bool is_single_word;
    };

    bool is_apart(std::string_view text, std::size_t begin, std::size_t end) const;
    bool is_word(char32_t point) const;
    void spell(std::string_view word, Ids& ids) const;

    Characters characters_;
    Trie trie_;
    Trie::Node beginnings_, continuations_, added_;
    std::vector<bool> continuing_;  // by id
    std::vector<Found> found_;  // by id in the trie of added tokens
    std::array<bool, 256> begins_added_{};  // by a token's first byte
    std::array<char, 256> only_{};  // what becomes of an ASCII letter or digit; 0 for all others
    Ids before_, after_;
    std::optional<std::uint32_t> unknown_;
    std::size_t max_chars_;
};

}  // namespace wordpiece
