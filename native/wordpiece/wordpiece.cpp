#include "wordpiece.hpp"

#include <algorithm>
#include <stdexcept>

namespace wordpiece {
namespace {

constexpr char32_t max_character = 0x10FFFF;
constexpr std::size_t max_written = 255;  // bytes of one character

std::size_t characters_in(std::string_view utf8) {
    return std::count_if(utf8.begin(), utf8.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
}

}  // namespace

WordPiece::WordPiece(const Definition& definition)
    : beginnings_(trie_.root()), continuations_(trie_.root()), max_chars_(definition.max_chars) {
    const auto unknown = definition.vocabulary.find(definition.unknown);
    if (unknown == definition.vocabulary.end())
        throw std::invalid_argument("the vocabulary has no token for unknown words");
    unknown_ = unknown->second;
    for (const auto& [entry, id] : definition.vocabulary) {
        trie_.add(beginnings_, entry, id);
        if (entry.starts_with(definition.prefix)) trie_.add(continuations_, entry.substr(definition.prefix.size()), id);
    }
    for (const auto& [character, written] : definition.characters) write(character, written);
    for (const std::u32string& token : definition.added) {
        if (token.empty()) continue;
        added_.push_back(token);
        // One that begins with a character that isn't known is never met: its text is declined for that one.
        if (token[0] < characters_.size()) characters_[token[0]].begins_added = true;
    }
}

void WordPiece::write(char32_t character, std::string_view written) {
    if (character > max_character) throw std::invalid_argument("a character is no code point");
    if (written.size() > max_written) throw std::invalid_argument("too much becomes of a character");
    if (character >= characters_.size()) characters_.resize(character + 1);
    characters_[character] = {std::uint32_t(written_.size()), std::uint8_t(written.size()), true};
    written_ += written;
}

template <typename Unit>
bool WordPiece::encode(const Unit* text, std::size_t size, std::size_t max_tokens, Ids& ids) const {
    std::string word;
    const std::size_t before = ids.size();
    for (std::size_t at = 0; at < size; ++at) {
        if (text[at] >= characters_.size()) return false;
        const Character& character = characters_[text[at]];
        if (!character.known || (character.begins_added && is_added(text + at, size - at))) return false;
        for (const char byte : std::string_view(written_).substr(character.begin, character.size)) {
            if (byte != ' ') {
                word += byte;
                continue;
            }
            spell(word, ids);
            word.clear();
            if (ids.size() - before > max_tokens) return true;
        }
    }
    spell(word, ids);
    return true;
}

template bool WordPiece::encode(const std::uint8_t*, std::size_t, std::size_t, Ids&) const;
template bool WordPiece::encode(const std::uint32_t*, std::size_t, std::size_t, Ids&) const;

/// Returns whether `text` starts with an added token.
template <typename Unit>
bool WordPiece::is_added(const Unit* text, std::size_t size) const {
    return std::ranges::any_of(added_, [&](const std::u32string& token) {
        return token.size() <= size && std::equal(token.begin(), token.end(), text);
    });
}

/// Appends the longest entry that is a prefix of the word, then the longest that continues it, up to its end; or the
/// unknown word if one is missing.
void WordPiece::spell(std::string_view word, Ids& ids) const {
    const std::size_t before = ids.size();
    const bool too_long = word.size() > max_chars_ && characters_in(word) > max_chars_;
    for (Trie::Node root = beginnings_; !word.empty(); root = continuations_) {
        const Trie::Match match = too_long ? Trie::Match{} : trie_.longest(root, word);
        if (!match.size) {
            ids.resize(before);
            ids.push_back(unknown_);
            return;
        }
        ids.push_back(match.id);
        word.remove_prefix(match.size);
    }
}

}  // namespace wordpiece
