// Fuzzes the tokenizer by libFuzzer: a text is anybody's, and may be no UTF-8.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz_parse.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    fuzz::read_sentences({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
