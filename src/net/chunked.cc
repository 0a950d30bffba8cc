#include "net/chunked.h"

#include <algorithm>

namespace tophand::net {
namespace {

constexpr std::size_t kExtensionBytesMax = 256;
constexpr std::size_t kTrailerBytesMax = 8u << 10;
constexpr std::uint64_t kChunkBytesMax = std::uint64_t{1} << 40;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

}  // namespace

Result<std::size_t> ChunkDecoder::push(std::string_view bytes, std::string& out) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
      out.append(bytes.substr(at, take));
      at += take;
      left_ -= take;
      if (left_ == 0) state_ = State::kDataCr;
      continue;
    }
    if (!step(bytes[at])) return fail(Code::kInvalid, "a malformed chunk");
    ++at;
  }
  return at;
}

bool ChunkDecoder::size_digit(char c) {
  const int digit = hex_digit(c);
  if (digit < 0) return false;
  left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
  // "0000...01" is harmless but no writer sends it: sixteen digits are enough for any chunk.
  return ++line_bytes_ <= 16 && left_ <= kChunkBytesMax;
}

// One byte of framing. False: not the grammar, or over a limit.
bool ChunkDecoder::step(char c) {
  switch (state_) {
    case State::kSizeStart:
      left_ = 0;
      line_bytes_ = 0;
      state_ = State::kSize;
      return size_digit(c);
    case State::kSize:
      if (c == '\r') state_ = State::kSizeLf;
      else if (c == ';') state_ = State::kExtension, line_bytes_ = 0;
      else if (source_ == ChunkSource::kServer && is_space(c))
        state_ = State::kSizeSpace, line_bytes_ = 1;
      else return size_digit(c);
      return true;
    // Before an extension (RFC 9112, 7.1.1), or in place of leading zeros, as old servers write it.
    case State::kSizeSpace:
      if (c == '\r') state_ = State::kSizeLf;
      else if (c == ';') state_ = State::kExtension, line_bytes_ = 0;
      else return is_space(c) && ++line_bytes_ <= kExtensionBytesMax;
      return true;
    case State::kExtension:
      if (c == '\r') state_ = State::kSizeLf;
      else return is_text(c) && ++line_bytes_ <= kExtensionBytesMax;
      return true;
    case State::kSizeLf:
      state_ = left_ == 0 ? State::kTrailerStart : State::kData;
      return c == '\n';
    case State::kDataCr:
      state_ = State::kDataLf;
      return c == '\r';
    case State::kDataLf:
      state_ = State::kSizeStart;
      return c == '\n';
    case State::kTrailerStart:
      name_seen_ = false;
      if (c == '\r') state_ = State::kLastLf;
      else state_ = State::kTrailer;
      return c == '\r' || (is_text(c) && !is_space(c) && c != ':');
    case State::kTrailer:
      if (c == ':') name_seen_ = true;
      if (c == '\r') state_ = State::kTrailerLf;
      return (c == '\r' && name_seen_) || (is_text(c) && ++trailer_bytes_ <= kTrailerBytesMax);
    case State::kTrailerLf:
      state_ = State::kTrailerStart;
      return c == '\n' && (trailer_bytes_ += 2) <= kTrailerBytesMax;
    case State::kLastLf:
      state_ = State::kDone;
      return c == '\n';
    case State::kData:
    case State::kDone:
      return false;
  }
  return false;
}

}  // namespace tophand::net
