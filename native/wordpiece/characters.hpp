// What becomes of each character of Unicode: it is asked by the block, when one of its characters is first met.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace wordpiece {

/// One character of those that another becomes by canonical decomposition.
struct Part {
    std::uint8_t rank;    // of its combining class among all; 0 for one that ends a run of marks
    std::string written;  // what becomes of it, where a space ends a word
};

/// What becomes of a character: unknown; a text that ends a run of marks, where a space ends a word; or parts that are
/// put into canonical order with those before and behind it, of which there may be none.
struct Answer {
    std::variant<std::monostate, std::string, std::vector<Part>> becomes;
    bool is_word = false;  // as regular expressions have it
};

/// What `Answer` says, as it is kept.
struct Character {
    enum class Kind : std::uint8_t { unknown, written, itself, spaced, parts };

    std::uint16_t begin = 0;  // in its block's text, or parts
    std::uint8_t size = 0;
    Kind kind = Kind::unknown;
    bool is_word = false;
};

/// Characters that follow each other.
struct Block {
    static constexpr std::size_t size = 256;

    /// Keeps the answers for the characters from `first`. Throws std::invalid_argument if there are more or fewer than
    /// `size`, or if one writes too much.
    Block(char32_t first, const std::vector<Answer>& answers);

    /// Returns the byte that becomes of a character, if it is one and ends no word; else 0.
    char only(char32_t point) const;

    std::string_view text_of(const Character& of) const { return std::string_view(text).substr(of.begin, of.size); }

    std::array<Character, size> characters;
    std::string text;
    std::vector<Part> parts;

private:
    void keep(Character& character, char32_t point, std::string_view written);
    void keep(Character& character, const std::vector<Part>& of);
};

/// All characters. Safe to use from several threads at once.
class Characters {
public:
    /// Returns an answer for each character of the block that begins with `first`. May be called from several threads,
    /// and more than once for a block: answers are always the same.
    using Ask = std::function<std::vector<Answer>(char32_t first)>;

    explicit Characters(Ask ask) : ask_(std::move(ask)) {}
    Characters(const Characters&) = delete;
    Characters& operator=(const Characters&) = delete;
    ~Characters();

    /// Returns the block of a code point. Throws what `ask` throws.
    const Block& block_of(char32_t point) const {
        const Block* const known = blocks_[point / Block::size].load(std::memory_order_acquire);
        return known ? *known : ask(point / Block::size);
    }

private:
    static constexpr std::size_t points = 0x110000;

    const Block& ask(std::size_t index) const;

    const Ask ask_;
    mutable std::array<std::atomic<const Block*>, points / Block::size> blocks_{};
};

}  // namespace wordpiece
