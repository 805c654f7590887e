// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/open.h"

#include <elf.h>

#include <cstring>
#include <vector>

#include "guest/dump/capture_reader.h"
#include "guest/dump/dump_core.h"
#include "guest/dump/elf_file.h"
#include "guest/dump/file_guest.h"
#include "guest/dump/input_file.h"
#include "guest/dump/kdump_header.h"
#include "guest/dump/kdump_reader.h"
#include "guest/dump/raw_reader.h"
#include "guest/dump/recognise.h"
#include "guest/dump/save_reader.h"
#include "guest/dump/vmcore_reader.h"

namespace xstack {
namespace {

Result<FileGuestParts> read_any(std::shared_ptr<const InputFile> file) {
  const auto bytes = file->bytes();
  if (bytes.size() < SELFMAG || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) {
    if (is_kdump(bytes)) {
      return read_kdump(std::move(file));
    }
    if (is_save_image(bytes)) {
      return read_save_image(std::move(file));
    }
    if (const auto kind = recognise_foreign(bytes)) {
      return fail(Errc::unsupported, "this is " + *kind + "; xstack does not read it");
    }
    return fail(Errc::bad_format, "no dump and no capture: memory alone needs --raw BASE");
  }
  const auto elf = parse_elf(bytes);
  if (!elf) {
    return tl::unexpected(elf.error());
  }
  if (is_dump_core(*elf)) {
    return read_dump_core(std::move(file), *elf);
  }
  if (is_capture(*elf)) {
    return read_capture(std::move(file), *elf);
  }
  if (is_vmcore(*elf)) {
    return read_vmcore(std::move(file), *elf);
  }
  if (const auto kind = recognise_foreign_elf(*elf)) {
    return fail(Errc::unsupported, "this is " + *kind + "; xstack does not read it");
  }
  return fail(Errc::bad_format, "an ELF core, but not of a guest");
}

}  // namespace

Result<std::unique_ptr<Guest>> open_dump(const std::string& path) {
  auto file = InputFile::open(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  auto parts = read_any(std::move(*file));
  if (!parts) {
    return fail(path, parts.error());
  }
  return make_file_guest(std::move(*parts));
}

Result<std::unique_ptr<Guest>> open_raw(std::span<const RawFile> files) {
  std::vector<RawPiece> pieces;
  for (const RawFile& raw : files) {
    auto file = InputFile::open(raw.path);
    if (!file) {
      return tl::unexpected(file.error());
    }
    pieces.push_back({std::move(*file), raw.base});
  }
  auto parts = read_raw(pieces);
  if (!parts) {
    return fail(files.empty() ? "no file" : files.front().path, parts.error());
  }
  return make_file_guest(std::move(*parts));
}

}  // namespace xstack
