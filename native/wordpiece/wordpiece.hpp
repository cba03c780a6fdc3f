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

/// What a tokenizer is made of. Texts in it are UTF-8, but for what is looked for in a text as it came.
struct Definition {
    std::unordered_map<std::string, std::uint32_t> vocabulary;
    std::unordered_map<char32_t, std::string> characters;  // what becomes of each, where a space ends a word
    std::vector<std::u32string> added;                      // tokens that are no words; empty ones are never found
    std::string prefix;                                     // of entries that go on with a word
    std::string unknown;                                    // the entry of a word that can't be spelt
    std::size_t max_chars;                                 // of a word; a longer one is unknown
};

/// A tokenizer that knows no Unicode: it is told what becomes of each character, and declines a text with any other one, or with
/// an added token. Safe to use from several threads at once.
class WordPiece {
public:
    explicit WordPiece(const Definition& definition);

    /// Appends the ids of a text, given as code points: all of them or, where they are more than `most`, more than `most` of the
    /// first. Returns whether it could; otherwise `ids` means nothing.
    template <typename Unit>
    bool encode(const Unit* text, std::size_t size, std::size_t most, Ids& ids) const;

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
