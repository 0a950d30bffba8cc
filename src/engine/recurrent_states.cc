#include "engine/recurrent_states.h"

#include <algorithm>
#include <cstring>

namespace tophand::engine {
namespace {

constexpr std::size_t kNow = 0, kPromptEnd = 1, kParting = 2, kStates = 3;

}  // namespace

std::size_t RecurrentStates::bytes(const Hyperparameters& shape) {
  return kStates * shape.state_floats() * sizeof(float);
}

Result<RecurrentStates> RecurrentStates::allocate(const Hyperparameters& shape) {
  RecurrentStates out;
  out.floats_ = shape.state_floats();
  if (out.floats_ == 0) return out;
  auto buffer = PageBuffer::allocate(bytes(shape));
  if (!buffer) return tl::unexpected(std::move(buffer).error());
  out.buffer_ = std::move(*buffer);
  return out;
}

float* RecurrentStates::state(std::size_t index) {
  return floats_ == 0 ? nullptr : reinterpret_cast<float*>(buffer_.data()) + index * floats_;
}

void RecurrentStates::expect(std::uint64_t position, std::uint64_t tokens) {
  if (floats_ == 0 || tokens < kCopyWorthTokens) return;
  prompt_end_.planned = position + tokens - kCopyBeforeEndTokens;
}

std::optional<std::uint64_t> RecurrentStates::next_stop(std::uint64_t position) const {
  std::optional<std::uint64_t> out;
  for (const Copy* copy : {&prompt_end_, &parting_})
    if (copy->planned && *copy->planned > position)
      out = std::min(out.value_or(*copy->planned), *copy->planned);
  return out;
}

void RecurrentStates::reached(std::uint64_t position) {
  const auto keep = [&](Copy& copy, std::size_t index) {
    if (copy.planned != position) return;
    std::memcpy(state(index), now(), floats_ * sizeof(float));
    copy = {position, {}};
  };
  keep(prompt_end_, kPromptEnd);
  keep(parting_, kParting);
}

std::uint64_t RecurrentStates::go_back(std::uint64_t position) {
  if (floats_ == 0) return position;
  std::uint64_t best = 0;
  std::size_t index = kNow;
  const auto consider = [&](Copy& copy, std::size_t copy_index) {
    copy.planned.reset();
    if (copy.at && *copy.at > position) copy.at.reset();  // of tokens that are no more
    if (!copy.at || *copy.at <= best) return;
    best = *copy.at;
    index = copy_index;
  };
  consider(parting_, kParting);
  consider(prompt_end_, kPromptEnd);
  if (index == kNow) {
    std::memset(now(), 0, floats_ * sizeof(float));
  } else {
    std::memcpy(now(), state(index), floats_ * sizeof(float));
  }
  if (position - best >= kCopyWorthTokens) parting_.planned = position;
  return best;
}

}  // namespace tophand::engine
