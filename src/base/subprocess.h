// Runs another program without a shell: arguments as a list, standard streams as strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand {

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH
  std::string directory = {};     // "" = ours
  std::string input = {};         // written to its standard input
  std::size_t output_bytes_max = 64u << 20;
  int timeout_ms = 120'000;  // then it is killed: kDeadline
};

struct ProcessResult {
  int exit_code = 0;  // 128 + signal when it was killed
  std::string out, err;
};

// kNotFound when the program does not exist, kTooLarge when it prints more than the limit.
Result<ProcessResult> run_process(const ProcessOptions& options);

}  // namespace tophand
