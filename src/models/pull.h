// Getting a model file: from the publisher, a mirror, Python wheels, any URL or a local file;
// always verified by its SHA-256, resumable, one pull of a model at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "models/store.h"
#include "net/http.h"

namespace tophand::models {

struct PullOptions {
  std::string what;         // a catalogue name, an http(s) URL, or the path of a GGUF file
  std::string name = {};    // for URLs and files; "" = the file's stem
  std::string sha256 = {};  // for URLs and files; "" = taken as found, and shown
  std::string mirror = {};  // URL or folder
  enum class Import : std::uint8_t { kCopy, kLink } import = Import::kCopy;  // local files
  enum class Existing : std::uint8_t { kKeep, kReplace } existing = Existing::kKeep;
  // Looks into a file that the catalogue does not vouch for; what it refuses is not installed. By
  // default only the first four bytes are looked at: this room reads no model file.
  std::function<Result<>(const std::string& path)> check_file = {};
};

// The name that pull() will give it.
std::string name_for(const PullOptions& options);

struct PullProgress {
  std::string_view step;              // "downloading from ...", "checking"
  std::uint64_t done = 0, total = 0;  // bytes; total 0: unknown
};
using OnProgress = std::function<void(const PullProgress&)>;

struct Pulled {
  InstalledModel model;
  bool was_there = false;
  std::string source;  // where it came from
};

// kNotFound: no such name or file, with the names there are. kUnavailable: no source answered; the
// message lists each with what it said, and how to import a file by hand. kConflict: another pull
// of it runs. kIo: disk full, with the numbers. kCancelled: what was fetched is kept for the next
// try.
Result<Pulled> pull(Store& store, const PullOptions& options, const OnProgress& on_progress,
                    const net::Cancellation* cancel);

}  // namespace tophand::models
