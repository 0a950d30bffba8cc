// The user's model folder: names to verified GGUF files, several names to one file where profiles
// or copies of it were made. The gateway never parses a model file; it only knows paths, sizes and
// hashes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand {
struct FileStamp;
}

namespace tophand::models {

// What makes a named profile (a persona) of a model file: Ollama's create. JSON as it was given and
// checked then.
struct Profile {
  std::string from;  // the name that it was made of
  std::string system = {};
  std::string parameters_json = "{}";  // Ollama's options
  std::string messages_json = "[]";    // Ollama's messages
  std::string chat_template = {};      // kept and shown; the model's own is what is used
  std::vector<std::string> licences = {};
};

struct InstalledModel {
  std::string name;  // "qwen2.5-coder:1.5b"; imported files: their stem
  std::string path;  // absolute
  std::uint64_t bytes = 0;
  std::string sha256 = {};  // 64 hex digits
  std::string family = {}, parameter_size = {},
              quantization = {};  // from the catalogue or `engine --inspect`
  std::int64_t context_tokens = 0;
  std::int64_t modified_ms = 0;
  // Of the URL it was fetched from, which may hold a secret; "" for files and the catalogue's.
  std::string url_sha256 = {};
  std::optional<Profile> profile = {};
};

// A model file and the model whose worker runs it: profiles of one file share a worker.
struct Weights {
  std::string name, path;
};

bool is_sha256(std::string_view text);  // 64 lower-case hex digits

// What Store::find does, in a list that is at hand; nullptr for none.
const InstalledModel* find_model(const std::vector<InstalledModel>& models, std::string_view name);

class Store {
 public:
  explicit Store(std::string dir);
  ~Store();
  const std::string& dir() const { return dir_; }
  // Sorted by name. A record is read again only when its file has changed. Any thread.
  Result<std::vector<InstalledModel>> list() const;
  // The same without a copy, for every request.
  using Models = std::shared_ptr<const std::vector<InstalledModel>>;
  Result<Models> listed() const;
  // Exact name, name with ":latest" or in another case, or an unambiguous prefix. kNotFound with
  // what is there and how to get it ("tophand pull NAME").
  Result<InstalledModel> find(std::string_view name) const;
  // No prefixes; the case does not matter. kNotFound in Ollama's words.
  Result<InstalledModel> find_exact(std::string_view name) const;
  // Of find(name): the first model without a profile on the same file, else the first of all.
  Result<Weights> weights(std::string_view name) const;

  // Records a verified file (already in dir(), or outside it for imports by reference), or a
  // profile or a copy of one that is recorded. kConflict: another model's record has the file name
  // that this one's would have, or a profile would take the place of the last record that names
  // another file. kNotFound: the file has gone meanwhile.
  Result<> add(const InstalledModel& model);
  // Removes the record; the file goes with the last record that names it, if it is in dir().
  Result<> remove(std::string_view name);
  // Deletes uploads that no record names (blobs.h). Nothing while a record is damaged: nobody knows
  // what it names. Returns how many files went.
  std::int64_t remove_unused_uploads() const;

 private:
  Result<> check_record_is_free(const InstalledModel& model) const;
  Result<InstalledModel> read_record(const std::string& file) const;
  Result<> read_folder(const std::optional<FileStamp>& settled) const;

  std::string dir_;
  struct Records;  // as they were last read
  std::unique_ptr<Records> records_;
};

}  // namespace tophand::models
