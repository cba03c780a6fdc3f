// The tokenizer: it turns text into ids of a WordPiece vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "trie.hpp"

namespace wordpiece {

using Ids = std::vector<std::uint32_t>;

/// Definition of a tokenizer. Its texts are UTF-8, except those that are searched for in the original text.
struct Definition {
    std::unordered_map<std::string, std::uint32_t> vocabulary;
    std::unordered_map<char32_t, std::string> characters;  // what becomes of each, where a space ends a word
    std::vector<std::u32string> added;                      // tokens that are no words; empty ones are never found
    std::string prefix;                                     // of entries that go on with a word
    std::string unknown;                                    // the entry of a word that can't be spelt
    std::size_t max_chars;                                 // of a word; a longer one is unknown
};

/// WordPiece tokenizer without knowledge of Unicode: a table says what becomes of each character, and a text with any
/// other character, or with an added token, is declined. Safe to use from several threads at once.
class WordPiece {
public:
    explicit WordPiece(const Definition& definition);

    /// Appends the ids of a text, given as code points: all of them, or if there are more than `max_tokens`, more than
    /// `max_tokens` of the first. Returns false if it can't; then `ids` is undefined.
    template <typename Unit>
    bool encode(const Unit* text, std::size_t size, std::size_t max_tokens, Ids& ids) const;

private:
    struct Character {
        std::uint32_t begin = 0;  // in written_
        std::uint8_t size = 0;
        bool known = false;
        bool begins_added = false;
    };

    void write(char32_t character, std::string_view written);
    template <typename Unit>
    bool is_added(const Unit* text, std::size_t size) const;
    void spell(std::string_view word, Ids& ids) const;

    std::vector<Character> characters_;  // by code point
    std::string written_;
    std::vector<std::u32string> added_;
    Trie trie_;
    Trie::Node beginnings_, continuations_;
    std::uint32_t unknown_;
    std::size_t max_chars_;
};

}  // namespace wordpiece
