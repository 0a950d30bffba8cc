#include "deferral/batch_log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "base/log.h"
#include "base/private_file.h"

namespace tophand::deferral {
namespace {

constexpr std::string_view kEnd = ".batch";
constexpr std::size_t kItemsMax = 10'000, kBytesMax = 8U << 20;
constexpr std::array<std::string_view, 3> kStages{"reserving", "sending", "sent"};

Error damaged(std::string_view what) {
  return {Code::kCorrupt, "a damaged record of a batch: " + std::string(what)};
}

Result<Batch::Item> read_item(const Json& json) {
  Batch::Item item{.request_id = std::string(string_or(json, "request_id", "")),
                   .attempt = int_or(json, "attempt", 0),
                   .model = std::string(string_or(json, "model", ""))};
  if (item.request_id.empty() || item.attempt < 1 || item.model.empty())
    return tl::unexpected(damaged("an item"));
  return item;
}

}  // namespace

std::string write_batch(const Batch& batch) {
  Json items = Json::array();
  for (const Batch::Item& item : batch.items)
    items.push_back(
        {{"request_id", item.request_id}, {"attempt", item.attempt}, {"model", item.model}});
  return dump_json({{"name", batch.name},
                    {"stage", kStages.at(static_cast<std::size_t>(batch.stage))},
                    {"provider_id", batch.provider_id},
                    {"sent_ms", batch.sent_ms},
                    {"stopped", batch.stopped},
                    {"items", std::move(items)}}) +
         "\n";
}

Result<Batch> read_batch(std::string_view text) {
  auto json = parse_json(text);
  if (!json || !json->is_object()) return tl::unexpected(damaged("no JSON object"));
  const auto stage = std::ranges::find(kStages, string_or(*json, "stage", ""));
  const Json* items = find_key(*json, "items");
  if (stage == kStages.end()) return tl::unexpected(damaged("its stage"));
  if (items == nullptr || !items->is_array() || items->size() > kItemsMax)
    return tl::unexpected(damaged("its items"));
  Batch batch{.stage = static_cast<Batch::Stage>(stage - kStages.begin()),
              .name = std::string(string_or(*json, "name", "")),
              .provider_id = std::string(string_or(*json, "provider_id", "")),
              .sent_ms = int_or(*json, "sent_ms", 0),
              .stopped = bool_or(*json, "stopped", false)};
  if (batch.stage == Batch::Stage::kSent && batch.provider_id.empty())
    return tl::unexpected(damaged("it was sent and has no id"));
  for (const Json& each : *items) {
    auto item = read_item(each);
    if (!item) return tl::unexpected(std::move(item).error());
    batch.items.push_back(*std::move(item));
  }
  return batch;
}

std::string BatchLog::path(const std::string& name) const {
  return folder_ + "/" + name + std::string(kEnd);
}

Result<std::vector<Batch>> BatchLog::load() const {
  std::vector<Batch> out;
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator(folder_, failed)) {
    const std::string name = file.path().filename();
    if (!name.ends_with(kEnd)) continue;
    std::string text(kBytesMax, '\0');
    std::ifstream in(file.path(), std::ios::binary);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    auto batch = read_batch(text);
    if (batch && path(batch->name) == file.path()) out.push_back(*std::move(batch));
    else
      log::warn("deferred.unreadable", {{"file", file.path().string()},
                                        {"error", batch ? "another name" : batch.error().message}});
  }
  if (failed) return fail(Code::kIo, "read " + folder_ + ": " + failed.message());
  return out;
}

Result<> BatchLog::save(const Batch& batch) const {
  return write_private_file(path(batch.name), write_batch(batch));
}

void BatchLog::remove(const Batch& batch) const {
  ::unlink(path(batch.name).c_str());
}

}  // namespace tophand::deferral
