// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "guest/dump/decompress.h"
#include "guest/dump/flattened.h"
#include "guest/dump/scratch_file.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMaxUnpacked = 64ULL << 30;

/// A read-only mapping that is unmapped unless released.
class Mapping {
 public:
  Mapping(int fd, std::size_t size) : address_(::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0)), size_(size) {}
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, MAP_FAILED)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (valid()) {
      ::munmap(address_, size_);
    }
  }
  [[nodiscard]] bool valid() const { return address_ != MAP_FAILED; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(address_), size_}; }
  std::span<const std::byte> release() {
    const auto all = bytes();
    address_ = MAP_FAILED;
    return all;
  }

 private:
  void* address_;
  std::size_t size_;
};

Result<UniqueFd> spool(int fd) {
  auto scratch = ScratchFile::create(kMaxUnpacked);
  if (!scratch) {
    return tl::unexpected(scratch.error());
  }
  std::vector<std::byte> block(1 << 20);
  for (;;) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n == 0) {
      break;
    }
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return fail(Errc::io, std::strerror(errno));
    }
    if (auto ok = scratch->append(std::span(block).first(static_cast<std::size_t>(n))); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  if (auto ok = scratch->finish(); !ok) {
    return tl::unexpected(ok.error());
  }
  return scratch->take();
}

/// What `make` makes of a file, in a file without a name. When it stops early, what there is by then is used, and a
/// warning says so.
template <class Make>
Result<Mapping> remake(const Mapping& from, const std::string& what, const char* when,
                       std::vector<std::string>& warnings, Make make) {
  ::madvise(const_cast<std::byte*>(from.bytes().data()), from.bytes().size(), MADV_SEQUENTIAL);
  auto scratch = ScratchFile::create(kMaxUnpacked);
  if (!scratch) {
    return tl::unexpected(scratch.error());
  }
  const Result<std::optional<Incomplete>> incomplete = make(*scratch);
  if (!incomplete) {
    return tl::unexpected(incomplete.error());
  }
  if (scratch->size() == 0) {
    return *incomplete ? fail((*incomplete)->input_ended ? Errc::truncated : Errc::bad_format, (*incomplete)->why)
                       : fail(Errc::truncated, "nothing is in it");
  }
  if (*incomplete) {
    warnings.push_back(fmt::format("only the first {} bytes of the {} could be unpacked: {}", scratch->size(), what,
                                   (*incomplete)->why));
  }
  if (auto ok = scratch->finish(); !ok) {
    return tl::unexpected(ok.error());
  }
  if (!std::in_range<std::size_t>(scratch->size())) {
    return fail(Errc::too_large, fmt::format("larger than this machine can map {}", when));
  }
  Mapping made(scratch->fd(), static_cast<std::size_t>(scratch->size()));
  if (!made.valid()) {
    return fail(Errc::io, fmt::format("cannot map the unpacked file: {}", std::strerror(errno)));
  }
  return made;
}

}  // namespace

InputFile::InputFile(std::vector<std::byte> bytes) : owned_(std::move(bytes)), bytes_(owned_) {}

InputFile::InputFile(std::span<const std::byte> mapped, std::vector<std::string> warnings)
    : bytes_(mapped), warnings_(std::move(warnings)) {}

InputFile::~InputFile() {
  if (owned_.empty() && !bytes_.empty()) {
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

Result<std::shared_ptr<const InputFile>> InputFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
    return fail(Errc::io, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) {
    auto spooled = spool(fd.get());
    if (!spooled) {
      return fail(path, spooled.error());
    }
    fd = std::move(*spooled);
    if (::fstat(fd.get(), &status) != 0) {
      return fail(Errc::io, fmt::format("{}: {}", path, std::strerror(errno)));
    }
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::io, fmt::format("{}: {}", path, S_ISDIR(status.st_mode) ? "is a directory" : "not a plain file"));
  }
  if (status.st_size <= 0) {
    return fail(Errc::truncated, path + ": the file is empty");
  }
  if (!std::in_range<std::size_t>(status.st_size)) {
    return fail(Errc::too_large, path + ": larger than this machine can map");
  }
  std::optional<Mapping> mapped(std::in_place, fd.get(), static_cast<std::size_t>(status.st_size));
  if (!mapped->valid()) {
    // A file that can be read but not mapped: /proc/config.gz.
    auto spooled = spool(fd.get());
    if (spooled && ::fstat(spooled->get(), &status) == 0 && status.st_size > 0) {
      fd = std::move(*spooled);
      mapped.emplace(fd.get(), static_cast<std::size_t>(status.st_size));
    }
  }
  Mapping& plain = *mapped;
  if (!plain.valid()) {
    return fail(Errc::io, fmt::format("{}: cannot be mapped: {}", path, std::strerror(errno)));
  }
  std::vector<std::string> warnings;
  Mapping contents = std::move(plain);
  if (const auto compression = detect_compression(contents.bytes())) {
    auto unpacked = remake(contents, fmt::format("{} file", to_string(*compression)), "when unpacked", warnings,
                           [&](ScratchFile& out) { return decompress(*compression, contents.bytes(), out); });
    if (!unpacked) {
      return fail(path, unpacked.error());
    }
    contents = std::move(*unpacked);
  }
  if (is_flattened(contents.bytes())) {
    auto whole = remake(contents, "flattened file", "when put together", warnings,
                        [&](ScratchFile& out) { return unflatten(contents.bytes(), out); });
    if (!whole) {
      return fail(path, whole.error());
    }
    contents = std::move(*whole);
  }
  return std::shared_ptr<const InputFile>(new InputFile(contents.release(), std::move(warnings)));
}

}  // namespace xstack
