// The chunked transfer coding (RFC 9112, 7.1): strictly from clients, whose bytes another server
// may read otherwise; from servers with what white space they may put behind a chunk's size.
// Private to net/. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand::net {

enum class ChunkSource : std::uint8_t { kClient, kServer };

// Bytes in, body out. Extensions and trailers are checked, bounded and dropped.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(ChunkSource source) : source_(source) {}
  // Appends body bytes to `out`; returns how many of `bytes` it took, which is all of them until
  // done(). kInvalid on anything that is not the grammar, to the letter (but for a
  // server's white space).
  Result<std::size_t> push(std::string_view bytes, std::string& out);
  bool done() const { return state_ == State::kDone; }
  // Bytes that the current chunk still lacks.
  std::uint64_t chunk_left() const { return left_; }

 private:
  enum class State : std::uint8_t {
    kSizeStart,
    kSize,
    kSizeSpace,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailer,
    kTrailerLf,
    kLastLf,
    kDone
  };
  bool step(char c);
  bool size_digit(char c);

  ChunkSource source_;
  State state_ = State::kSizeStart;
  std::uint64_t left_ = 0;
  std::size_t line_bytes_ = 0, trailer_bytes_ = 0;
  bool name_seen_ = false;
};

}  // namespace tophand::net
