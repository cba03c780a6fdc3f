#include "wordpiece.hpp"

#include <algorithm>
#include <stdexcept>

#include "utf8.hpp"

namespace wordpiece {
namespace {

std::size_t characters_in(std::string_view utf8) {
    return std::count_if(utf8.begin(), utf8.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
}

}  // namespace

/// A text on its way: the word that isn't at its end, and the marks behind it, which may have to be put in order.
class WordPiece::Text {
public:
    Text(const WordPiece& of, Ids& ids) : of_(of), ids_(ids) {}

    /// Adds a byte that ends no word.
    void add(char byte) {
        if (!marks_.empty()) order();
        put(byte);
    }

    /// Adds a character. Returns false if nobody knows what becomes of it.
    bool add(char32_t point) {
        const Block& block = of_.characters_.block_of(point);
        const Character& character = block.characters[point % Block::size];
        if (character.kind == Character::Kind::parts) {
            for (std::size_t index = 0; index < character.size; ++index) add(block.parts[character.begin + index]);
            return true;
        }
        if (!marks_.empty()) order();
        switch (character.kind) {
            case Character::Kind::unknown: return false;
            case Character::Kind::itself: put(point); break;
            case Character::Kind::spaced:
                end_word();
                put(point);
                end_word();
                break;
            default: write(block.text_of(character));
        }
        return true;
    }

    void add_token(std::uint32_t id) {
        end();
        ids_.push_back(id);
    }

    /// Ends the last word.
    void end() {
        if (!marks_.empty()) order();
        end_word();
    }

private:
    void add(const Part& part) {
        if (part.rank > 0) {
            marks_.push_back(&part);
            return;
        }
        if (!marks_.empty()) order();
        write(part.written);
    }

    /// Writes the marks in canonical order: by their ranks, and those of one rank as they came.
    void order() {
        std::stable_sort(marks_.begin(), marks_.end(), [](const Part* a, const Part* b) { return a->rank < b->rank; });
        for (const Part* const mark : marks_) write(mark->written);
        marks_.clear();
    }

    void write(std::string_view written) {
        for (const char byte : written)
            if (byte == ' ') end_word();
            else put(byte);
    }

    void put(char byte) {
        if (size_ == word_.size()) word_.resize(2 * size_);
        word_[size_++] = byte;
    }

    void put(char32_t point) {
        if (word_.size() - size_ < max_bytes) word_.resize(2 * word_.size());
        size_ += wordpiece::encode(point, word_.data() + size_);
    }

    void end_word() {
        if (size_ == 0) return;
        of_.spell({word_.data(), size_}, ids_);
        size_ = 0;
    }

    const WordPiece& of_;
    Ids& ids_;
    std::vector<char> word_ = std::vector<char>(64);
    std::size_t size_ = 0;  // of the word
    std::vector<const Part*> marks_;
};

WordPiece::WordPiece(const Definition& definition)
    : characters_(definition.ask),
      beginnings_(trie_.root()),
      continuations_(trie_.root()),
      added_(trie_.root()),
      before_(definition.before),
      after_(definition.after),
      max_chars_(definition.max_chars) {
    if (definition.unknown) {
        const auto unknown = definition.vocabulary.find(*definition.unknown);
        if (unknown == definition.vocabulary.end())
            throw std::invalid_argument("the vocabulary has no token for unknown words");
        unknown_ = unknown->second;
    }
    for (const auto& [entry, id] : definition.vocabulary) {
        trie_.add(beginnings_, entry, id);
        const auto& prefix = definition.prefix;
        if (!prefix || !entry.starts_with(*prefix)) continue;
        trie_.add(continuations_, entry.substr(prefix->size()), id);
        if (prefix->empty()) continue;  // then any entry may begin a word
        if (id >= continuing_.size()) continuing_.resize(std::size_t(id) + 1);
        continuing_[id] = true;
    }
    for (const Added& token : definition.added) {
        if (token.content.empty()) continue;
        trie_.add(added_, token.content, std::uint32_t(found_.size()));
        found_.push_back({token.id, token.is_single_word});
        begins_added_[static_cast<unsigned char>(token.content[0])] = true;
    }
    const Block& first = characters_.block_of(0);
    for (std::size_t byte = 0; byte < 0x80; ++byte)
        if (!begins_added_[byte]) only_[byte] = first.only(char32_t(byte));
}

bool WordPiece::encode(std::string_view text, std::size_t max_tokens, Ids& ids) const {
    if (!is_utf8(text)) return false;
    const std::size_t most = max_tokens > SIZE_MAX - ids.size() ? SIZE_MAX : ids.size() + max_tokens;
    ids.insert(ids.end(), before_.begin(), before_.end());
    const std::size_t begin = ids.size();
    Text written(*this, ids);
    std::size_t seen = 0;  // where the last token ends that was found, whether it counts or not
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if (only_[byte]) {
            written.add(only_[byte]);
            ++at;
            continue;
        }
        if (begins_added_[byte] && at >= seen) {
            const Trie::Match match = trie_.longest(added_, text.substr(at));
            seen = at + match.size;
            if (match.size && (!found_[match.id].is_single_word || is_apart(text, at, seen))) {
                written.add_token(found_[match.id].id);
                at = seen;
                continue;
            }
        }
        if (!written.add(next(text, at))) return false;
        if (ids.size() > most) return true;
    }
    written.end();
    const bool has_any = ids.size() > begin;
    ids.insert(ids.end(), after_.begin(), after_.end());
    return has_any || (before_.empty() && after_.empty());
}

/// Returns whether no letter or digit touches a part of a text.
bool WordPiece::is_apart(std::string_view text, std::size_t begin, std::size_t end) const {
    if (begin > 0 && is_word(before(text, begin))) return false;
    return end == text.size() || !is_word(next(text, end));
}

bool WordPiece::is_word(char32_t point) const {
    return characters_.block_of(point).characters[point % Block::size].is_word;
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
            if (unknown_) ids.push_back(*unknown_);
            return;
        }
        ids.push_back(match.id);
        word.remove_prefix(match.size);
    }
}

}  // namespace wordpiece
