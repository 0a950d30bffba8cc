// What a command says on standard error while a terminal waits for it: nothing for two seconds,
// then "reading the ledger, 3 s", which goes away with the object. For work whose length nobody
// knows beforehand; progress.h has bars for the rest.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "cli/command.h"

namespace tophand::cli {

class SlowNote {
 public:
  // Silent where io.err is no terminal. `patience`: before the first word, and between two.
  SlowNote(Io& io, std::string what,
           std::chrono::milliseconds patience = std::chrono::milliseconds(2000));
  ~SlowNote();
  SlowNote(const SlowNote&) = delete;
  SlowNote& operator=(const SlowNote&) = delete;

 private:
  void tell(std::chrono::milliseconds patience);

  std::ostream& err_;
  const std::string what_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace tophand::cli
