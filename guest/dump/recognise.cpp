// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/recognise.h"

#include <algorithm>
#include <string_view>

namespace xstack {
namespace {

using namespace std::string_view_literals;

struct Known {
  std::size_t offset;
  std::string_view magic;
  const char* name;
};

constexpr Known kKnown[] = {
    {0, "LibvirtQemudSave"sv, "a guest saved by libvirt"},
    {0, "DISKDUMP"sv, "a diskdump compressed dump"},
    {0, "EMiL"sv, "a LiME memory image"},
    {0, "AVML"sv, "an AVML memory image"},
    {0, "QEVM"sv, "a QEMU migration stream"},
    {0, "QFI\xfb"sv, "a qcow2 disk image"},
    {0, "PAGEDU64"sv, "a Windows crash dump"},
    {0, "PAGEDUMP"sv, "a Windows crash dump"},
    {0, "BZh"sv, "a bzip2 file (.zst, .xz and .gz are read)"},
    {0, "\x04\x22\x4d\x18"sv, "an lz4 file (.zst, .xz and .gz are read)"},
    {257, "ustar"sv, "a tar archive"},
    {0, "PK\x03\x04"sv, "a zip archive"},
};

}  // namespace

std::optional<std::string> recognise_foreign(std::span<const std::byte> start) {
  const std::string_view text(reinterpret_cast<const char*>(start.data()), std::min<std::size_t>(start.size(), 512));
  for (const auto& known : kKnown) {
    if (text.size() > known.offset && text.substr(known.offset).starts_with(known.magic)) {
      return known.name;
    }
  }
  return std::nullopt;
}

std::optional<std::string> recognise_foreign_elf(const ElfFile& elf) {
  bool core = false;
  for (const auto& note : segment_notes(elf)) {
    if (note.vendor == "VBCPU" || note.vendor == "VBCORE") {
      return "an ELF core of VirtualBox";
    }
    if (note.vendor == "Xen" || note.vendor == "VMCOREINFO_XEN") {
      return "an ELF core of the Xen hypervisor (kdump)";
    }
    core = core || note.vendor == "CORE";
  }
  if (core) {
    return "the core of a process";
  }
  return std::nullopt;
}

}  // namespace xstack
