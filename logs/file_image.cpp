// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/file_image.h"

#include <gelf.h>

#include <algorithm>
#include <memory>

#include "base/checked.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kMostSegments = 64;
/// No kernel and no hypervisor is linked below.
constexpr std::uint64_t kLowest = 0x100000;
constexpr std::uint64_t kLargest = std::uint64_t{1} << 27;

}  // namespace

FileImage::FileImage(std::span<const std::byte> elf) {
  elf_version(EV_CURRENT);
  // elf_memory() takes a pointer to bytes that may be written, but reading is all that is done with them here.
  auto* bytes = const_cast<char*>(reinterpret_cast<const char*>(elf.data()));
  const std::unique_ptr<Elf, int (*)(Elf*)> file(elf_memory(bytes, elf.size()), elf_end);
  std::size_t count = 0;
  if (!file || elf_kind(file.get()) != ELF_K_ELF || elf_getphdrnum(file.get(), &count) != 0) {
    return;
  }
  for (std::size_t i = 0; i < count && i < kMostSegments; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(file.get(), static_cast<int>(i), &header) == nullptr || header.p_type != PT_LOAD ||
        header.p_vaddr < kLowest || !checked_add<std::uint64_t>(header.p_vaddr, header.p_filesz)) {
      continue;
    }
    if (const auto part = slice(elf, header.p_offset, header.p_filesz); part && !part->empty()) {
      segments_.push_back({header.p_vaddr, *part});
    }
  }
}

std::span<const std::byte> FileImage::at(std::uint64_t address, std::uint64_t length) const {
  for (const Segment& segment : segments_) {
    if (address >= segment.address && address - segment.address < segment.bytes.size()) {
      const std::uint64_t offset = address - segment.address;
      return segment.bytes.subspan(offset, std::min<std::uint64_t>(length, segment.bytes.size() - offset));
    }
  }
  return {};
}

std::uint64_t FileImage::begin() const {
  std::uint64_t lowest = segments_.empty() ? 0 : ~std::uint64_t{0};
  for (const Segment& segment : segments_) {
    lowest = std::min(lowest, segment.address);
  }
  return lowest;
}

std::uint64_t FileImage::end() const {
  const std::uint64_t lowest = begin();
  std::uint64_t highest = 0;
  for (const Segment& segment : segments_) {
    // arm32's vectors are linked at the end of the address space.
    if (segment.address - lowest < kLargest) {
      highest = std::max<std::uint64_t>(highest, segment.address + segment.bytes.size());
    }
  }
  return highest;
}

}  // namespace xstack::logs
