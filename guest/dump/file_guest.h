// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guest/dump/frame_map.h"
#include "guest/dump/input_file.h"
#include "guest/guest.h"

namespace xstack {

/// Guest memory out of a file.
class DumpMemory : public PhysMemory {
 public:
  /// Which frames the file has, ascending and disjoint.
  [[nodiscard]] virtual std::vector<FrameRange> ram() const = 0;
};

/// Guest memory that lies in a file, in pages of kXenPageSize.
class FileMemory final : public DumpMemory {
 public:
  /// `pages` lies in `file`; `map` counts its pages and is finished.
  FileMemory(std::shared_ptr<const InputFile> file, std::span<const std::byte> pages, FrameMap map)
      : file_(std::move(file)), pages_(pages), map_(std::move(map)) {}

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override;
  [[nodiscard]] std::vector<FrameRange> ram() const override { return map_.ranges(); }

 private:
  std::shared_ptr<const InputFile> file_;
  std::span<const std::byte> pages_;
  FrameMap map_;
};

/// What a reader of a dump format found.
struct FileGuestParts {
  GuestIdentity identity;
  std::vector<VcpuContext> vcpus;
  std::unique_ptr<DumpMemory> memory;
  std::map<std::string, std::string> facts;
  std::optional<std::string> vmcoreinfo;  ///< its text, when the file has it apart from the memory
  std::vector<std::string> warnings;
  bool cut = false;  ///< the file ends before what it should hold, or a part of it is damaged: `warnings` say which
};

/// A guest out of a file: everything is known already and nothing can be paused.
[[nodiscard]] std::unique_ptr<Guest> make_file_guest(FileGuestParts parts);

}  // namespace xstack
