#include "models/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "models/blobs.h"
#include "models/catalogue.h"

namespace tophand::models {
namespace {

using ::testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = testing::TempDir() + "store-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~StoreTest() override { std::filesystem::remove_all(dir_); }

  InstalledModel file(const std::string& name, const std::string& where) const {
    std::ofstream(where) << "GGUF";
    return {.name = name,
            .path = where,
            .bytes = 4,
            .sha256 = std::string(64, 'a'),
            .family = "llama",
            .parameter_size = "1B",
            .quantization = "Q8_0",
            .context_tokens = 4096,
            .modified_ms = 7};
  }

  std::string dir_;
};

TEST_F(StoreTest, AnAbsentFolderHoldsNothing) {
  const auto models = Store(dir_ + "/none").list();
  ASSERT_TRUE(models);
  EXPECT_TRUE(models->empty());
}

TEST_F(StoreTest, FindsAgainWhatWasAddedAlsoAfterTheFolderMoved) {
  const std::string before = dir_ + "/a", after = dir_ + "/b";
  std::filesystem::create_directories(before);
  ASSERT_TRUE(Store(before).add(file("qwen:1b", before + "/q.gguf")));
  std::filesystem::rename(before, after);
  const auto model = Store(after).find("qwen:1b");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->path, after + "/q.gguf");
  EXPECT_EQ(model->context_tokens, 4096);
  EXPECT_EQ(model->modified_ms, 7);
}

TEST_F(StoreTest, NamesMatchExactlyThenWithoutLatestThenByAnUnambiguousStart) {
  Store store(dir_);
  for (const char* name : {"qwen:1b", "qwen:2b", "phi"})
    ASSERT_TRUE(store.add(file(name, dir_ + "/" + std::string(name) + ".gguf")));
  EXPECT_EQ(store.find("phi:latest")->name, "phi");
  EXPECT_EQ(store.find("qwen:2")->name, "qwen:2b");
  EXPECT_FALSE(store.find("qwen"));
  EXPECT_FALSE(store.find(""));
}

TEST_F(StoreTest, SeesAtOnceWhatAnotherProcessWroteOrDeleted) {
  const Store reader(dir_);
  Store writer(dir_);
  ASSERT_TRUE(writer.add(file("phi", dir_ + "/phi.gguf")));
  EXPECT_EQ(reader.find("phi")->context_tokens, 4096);
  InstalledModel changed = file("phi", dir_ + "/phi.gguf");
  changed.context_tokens = 8192;
  ASSERT_TRUE(writer.add(changed));
  EXPECT_EQ(reader.find("phi")->context_tokens, 8192);
  std::filesystem::resize_file(dir_ + "/phi.gguf", 3);  // not what was verified
  EXPECT_FALSE(reader.find("phi"));
  std::filesystem::resize_file(dir_ + "/phi.gguf", 4);
  EXPECT_TRUE(reader.find("phi"));
  ASSERT_TRUE(writer.remove("phi"));
  EXPECT_FALSE(reader.find("phi"));
}

TEST_F(StoreTest, AnUnknownModelSaysWhatThereIsAndHowToGetIt) {
  Store store(dir_);
  EXPECT_THAT(store.find("x").error().message, HasSubstr("no model is installed"));
  EXPECT_THAT(store.find("smollm2:135m").error().message, HasSubstr("`tophand pull smollm2:135m`"));
  ASSERT_TRUE(store.add(file("phi", dir_ + "/phi.gguf")));
  const auto missing = store.find("x");
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("installed: phi"));
}

TEST_F(StoreTest, AFileThatChangedItsSizeIsNotOffered) {
  Store store(dir_);
  ASSERT_TRUE(store.add(file("phi", dir_ + "/phi.gguf")));
  std::ofstream(dir_ + "/phi.gguf") << "GGUF and more";
  EXPECT_FALSE(store.find("phi"));
}

TEST_F(StoreTest, DamagedRecordsHideOnlyThemselves) {
  Store store(dir_);
  ASSERT_TRUE(store.add(file("phi", dir_ + "/phi.gguf")));
  std::ofstream(dir_ + "/bad.model.json") << "{";
  std::ofstream(dir_ + "/worse.model.json")
      << R"({"name":"x","path":"../../etc/passwd","sha256":"zz"})";
  EXPECT_EQ(store.list()->size(), 1u);
}

TEST_F(StoreTest, UploadsThatNoRecordNamesGoUnlessARecordIsDamaged) {
  namespace fs = std::filesystem;
  fs::create_directories(dir_ + "/blobs");
  const std::string used = dir_ + "/blobs/sha256-" + std::string(64, 'a');
  const std::string unused = dir_ + "/blobs/sha256-" + std::string(64, 'b');
  Store store(dir_);
  ASSERT_TRUE(store.add(file("mine", used)));
  for (const std::string& path : {used, unused}) {
    std::ofstream(path) << "GGUF";
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(48));
  }
  std::ofstream(dir_ + "/broken.model.json") << "{";
  EXPECT_EQ(store.remove_unused_uploads(), 0);
  fs::remove(dir_ + "/broken.model.json");
  EXPECT_EQ(store.remove_unused_uploads(), 1);
  EXPECT_TRUE(fs::exists(used));
  EXPECT_FALSE(fs::exists(unused));
}

TEST_F(StoreTest, RemovesOwnFilesAndOnlyForgetsImportedOnes) {
  const std::string models = dir_ + "/models", outside = dir_ + "/elsewhere.gguf";
  std::filesystem::create_directories(models);
  Store store(models);
  ASSERT_TRUE(store.add(file("own", models + "/own.gguf")));
  ASSERT_TRUE(store.add(file("linked", outside)));
  ASSERT_TRUE(store.remove("own"));
  ASSERT_TRUE(store.remove("linked"));
  EXPECT_FALSE(std::filesystem::exists(models + "/own.gguf"));
  EXPECT_TRUE(std::filesystem::exists(outside));
  EXPECT_TRUE(store.list()->empty());
}

InstalledModel profile_of(InstalledModel model, const std::string& name) {
  model.profile = Profile{.from = model.name,
                          .system = "Be \"brief\".\n",
                          .parameters_json = R"({"temperature":0.5,"stop":["x"]})",
                          .messages_json = R"([{"role":"user","content":"hi"}])",
                          .licences = {"MIT"}};
  model.name = name;
  return model;
}

TEST_F(StoreTest, AProfileSharesTheFileAndTheWorker) {
  Store store(dir_);
  const InstalledModel base = file("base:1b", dir_ + "/base.gguf");
  ASSERT_TRUE(store.add(base));
  ASSERT_TRUE(store.add(profile_of(base, "a-poet")));
  const auto found = store.find("A-Poet:latest");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->path, base.path);
  ASSERT_TRUE(found->profile);
  EXPECT_EQ(found->profile->from, "base:1b");
  EXPECT_EQ(found->profile->system, "Be \"brief\".\n");
  EXPECT_EQ(found->profile->parameters_json, R"({"temperature":0.5,"stop":["x"]})");
  EXPECT_EQ(found->profile->messages_json, R"([{"role":"user","content":"hi"}])");
  EXPECT_EQ(found->profile->licences, std::vector<std::string>{"MIT"});
  EXPECT_EQ(store.weights("a-poet")->name, "base:1b");
  EXPECT_EQ(store.weights("a-poet")->path, base.path);
}

TEST_F(StoreTest, AFileGoesWithTheLastNameForIt) {
  Store store(dir_);
  const InstalledModel base = file("base:1b", dir_ + "/base.gguf");
  ASSERT_TRUE(store.add(base));
  ASSERT_TRUE(store.add(profile_of(base, "poet")));
  ASSERT_TRUE(store.remove("base:1b"));
  EXPECT_TRUE(std::filesystem::exists(base.path));
  EXPECT_EQ(store.weights("poet")->name, "poet");
  ASSERT_TRUE(store.remove("poet"));
  EXPECT_FALSE(std::filesystem::exists(base.path));
}

TEST_F(StoreTest, NoRecordTakesTheFileNameOfAnother) {
  Store store(dir_);
  const InstalledModel base = file("a:b", dir_ + "/one.gguf");
  ASSERT_TRUE(store.add(base));
  EXPECT_EQ(store.add(file("a_b", dir_ + "/two.gguf")).error().code, Code::kConflict);
  EXPECT_TRUE(store.add(base));  // itself again
  ASSERT_TRUE(store.add(file("other", dir_ + "/three.gguf")));
  EXPECT_EQ(store.add(profile_of(base, "other")).error().code, Code::kConflict);
  EXPECT_TRUE(store.add(profile_of(base, "a:b")));  // itself, with a system prompt
}

TEST_F(StoreTest, NoProfileTakesTheLastNameOfAnotherFile) {
  Store store(dir_);
  const InstalledModel own = file("own", dir_ + "/own.gguf");
  const InstalledModel other = file("other", dir_ + "/other.gguf");
  ASSERT_TRUE(store.add(own));
  ASSERT_TRUE(store.add(other));
  ASSERT_TRUE(store.add(profile_of(own, "own")));  // its record has a profile from now on
  const auto lost = store.add(profile_of(other, "own"));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kConflict);
  EXPECT_EQ(store.find("own")->path, own.path);
  ASSERT_TRUE(store.add(profile_of(own, "poet")));  // a second name for the file
  EXPECT_TRUE(store.add(profile_of(other, "own")));
  EXPECT_EQ(store.add(profile_of(other, "poet")).error().code, Code::kConflict);
}

TEST_F(StoreTest, AnUploadIsReplacedByTheNextOneOfItsName) {
  Store store(dir_);
  std::filesystem::create_directories(dir_ + "/blobs");
  const InstalledModel first = file("first", blob_path(dir_, "01"));
  const InstalledModel next = file("next", blob_path(dir_, "02"));
  ASSERT_TRUE(store.add(profile_of(first, "mine")));
  ASSERT_TRUE(store.add(profile_of(next, "mine")));
  EXPECT_EQ(store.find("mine")->path, next.path);
}

TEST_F(StoreTest, NoProfileIsMadeOfAFileThatHasGone) {
  Store store(dir_);
  const InstalledModel base = file("base", dir_ + "/base.gguf");
  ASSERT_TRUE(store.add(base));
  std::filesystem::remove(base.path);
  EXPECT_EQ(store.add(profile_of(base, "poet")).error().code, Code::kNotFound);
}

TEST_F(StoreTest, ARecordThatIsTooLargeIsRefused) {
  Store store(dir_);
  InstalledModel poet = profile_of(file("base", dir_ + "/base.gguf"), "poet");
  poet.profile->system.assign(2u << 20, 'x');
  EXPECT_EQ(store.add(poet).error().code, Code::kTooLarge);
  EXPECT_FALSE(store.find("poet"));
}

TEST(Catalogue, EveryEntryIsComplete) {
  for (const CatalogueEntry& entry : catalogue()) {
    SCOPED_TRACE(entry.name);
    EXPECT_TRUE(is_sha256(entry.sha256));
    EXPECT_GT(entry.bytes, 0u);
    EXPECT_TRUE(entry.file.ends_with(".gguf"));
    EXPECT_GE(entry.wheels.parts, 1);
    EXPECT_FALSE(entry.licence.empty());
  }
  EXPECT_NE(find_in_catalogue("qwen2.5-coder:1.5b"), nullptr);
  EXPECT_EQ(find_in_catalogue("qwen2.5-coder"), nullptr);
}

}  // namespace
}  // namespace tophand::models
