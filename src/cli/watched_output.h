// Standard output that remembers why a write failed: a stream only says that one did, and by the
// end of the command errno may be another's. Used by main and by one thread.
#pragma once

#include <streambuf>

namespace tophand::cli {

// Passes everything on to `inner`, which must outlive it. Unbuffered itself.
class WatchedOutput : public std::streambuf {
 public:
  explicit WatchedOutput(std::streambuf& inner) : inner_(inner) {}

  // errno of the first write or flush that failed; 0 while none has.
  int error() const { return error_; }

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  void remember_failure();

  std::streambuf& inner_;
  int error_ = 0;
};

}  // namespace tophand::cli
