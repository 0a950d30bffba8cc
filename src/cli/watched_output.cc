#include "cli/watched_output.h"

#include <cerrno>

namespace tophand::cli {

void WatchedOutput::remember_failure() {
  if (error_ == 0) error_ = errno == 0 ? EIO : errno;
}

WatchedOutput::int_type WatchedOutput::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) return sync();
  errno = 0;
  const int_type put = inner_.sputc(traits_type::to_char_type(c));
  if (traits_type::eq_int_type(put, traits_type::eof())) remember_failure();
  return put;
}

std::streamsize WatchedOutput::xsputn(const char* text, std::streamsize size) {
  errno = 0;
  const std::streamsize put = inner_.sputn(text, size);
  if (put < size) remember_failure();
  return put;
}

int WatchedOutput::sync() {
  errno = 0;
  const int done = inner_.pubsync();
  if (done != 0) remember_failure();
  return done;
}

}  // namespace tophand::cli
