// GPT-2's spelling of bytes as printable characters, which is how vocabularies and merges are
// written in files: 33-126, 161-172 and 174-255 stand for themselves, the other 68 bytes, in order,
// for U+0100 onwards (openai/gpt-2, src/encoder.py, bytes_to_unicode).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tophand::text {

// The character (1 or 2 bytes of UTF-8) that spells `byte`.
std::string_view spell_byte(std::uint8_t byte);

// Appends the spelling of every byte.
void spell_bytes(std::string_view bytes, std::string& out);

// The bytes that `spelling` stands for. A character outside the alphabet is kept as it is.
std::string unspell_bytes(std::string_view spelling);

}  // namespace tophand::text
