#include "characters.hpp"

#include <limits>
#include <memory>
#include <stdexcept>

#include "utf8.hpp"

namespace wordpiece {
namespace {

std::uint8_t size_of(std::size_t size) {
    if (size > std::numeric_limits<std::uint8_t>::max()) throw std::invalid_argument("too much becomes of a character");
    return std::uint8_t(size);
}

}  // namespace

Block::Block(char32_t first, const std::vector<Answer>& answers) {
    if (answers.size() != size) throw std::invalid_argument("a block has another number of characters");
    for (std::size_t index = 0; index < size; ++index) {
        Character& character = characters[index];
        character.is_word = answers[index].is_word;
        if (const auto* const written = std::get_if<std::string>(&answers[index].becomes))
            keep(character, first + char32_t(index), *written);
        else if (const auto* const of = std::get_if<std::vector<Part>>(&answers[index].becomes)) keep(character, *of);
    }
}

/// Keeps what is written for a character; nothing for one that stays as it is, as most of Unicode's do.
void Block::keep(Character& character, char32_t point, std::string_view written) {
    char bytes[max_bytes];
    const std::string itself(bytes, encode(point, bytes));
    character.kind = Character::Kind::written;
    if (written == itself && point != U' ') character.kind = Character::Kind::itself;
    if (written == " " + itself + " ") character.kind = Character::Kind::spaced;
    if (character.kind != Character::Kind::written) return;
    character.begin = std::uint16_t(text.size());
    character.size = size_of(written.size());
    text += written;
}

void Block::keep(Character& character, const std::vector<Part>& of) {
    character.kind = Character::Kind::parts;
    character.begin = std::uint16_t(parts.size());
    character.size = size_of(of.size());
    parts.insert(parts.end(), of.begin(), of.end());
}

char Block::only(char32_t point) const {
    const Character& character = characters[point % size];
    if (character.kind == Character::Kind::itself) return point < 0x80 ? char(point) : char(0);
    const bool is_byte = character.kind == Character::Kind::written && character.size == 1;
    return is_byte && text[character.begin] != ' ' ? text[character.begin] : char(0);
}

Characters::~Characters() {
    for (const auto& block : blocks_) delete block.load(std::memory_order_relaxed);
}

/// Asks for a block. Of threads that ask at once the first keeps what it was told, and others use that.
const Block& Characters::ask(std::size_t index) const {
    const auto first = char32_t(index * Block::size);
    auto told = std::make_unique<const Block>(first, ask_(first));
    const Block* known = nullptr;
    if (blocks_[index].compare_exchange_strong(known, told.get(), std::memory_order_acq_rel)) return *told.release();
    return *known;
}

}  // namespace wordpiece
