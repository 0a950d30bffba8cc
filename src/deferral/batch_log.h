// Which requests of the queue are in which batch of a provider: a file for each batch in
// DATA/deferred (0600), written before anything is sent, so that a process that is killed at any
// moment finds out at its next start what may have been sent. One thread.
//
// A batch's stages, each on the disk before what it speaks of is done:
//   kReserving  money is being reserved for its requests; nothing was sent
//   kSending    it may have been sent; whether it was is for the provider to say
//   kSent       it was, and has an id
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::deferral {

struct Batch {
  enum class Stage : std::uint8_t { kReserving, kSending, kSent } stage = Stage::kReserving;
  struct Item {
    std::string request_id;
    std::int64_t attempt = 1;  // its row in the ledger
    std::string model;
    bool operator==(const Item&) const = default;
  };
  std::string name = {};         // of its file: letters and digits
  std::string provider_id = {};  // with kSent
  std::int64_t sent_ms = 0;      // from kSending on, wall clock
  bool stopped = false;          // the provider was asked to end it
  std::vector<Item> items = {};
};

class BatchLog {
 public:
  explicit BatchLog(std::string folder) : folder_(std::move(folder)) {}  // the queue's
  // What a damaged file said is lost: it is passed over and named in the log.
  Result<std::vector<Batch>> load() const;
  Result<> save(const Batch& batch) const;  // on the disk when it returns
  void remove(const Batch& batch) const;

 private:
  std::string path(const std::string& name) const;
  const std::string folder_;
};

// For the log, its tests and its fuzz target. kCorrupt for what is no batch.
std::string write_batch(const Batch& batch);
Result<Batch> read_batch(std::string_view text);

}  // namespace tophand::deferral
