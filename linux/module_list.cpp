// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/module_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/endian.h"
#include "linux/module_struct.h"

namespace xstack {
namespace {

constexpr std::uint64_t kDataBytes = 24U << 20;
constexpr std::uint64_t kDataHole = 32U << 20;
constexpr unsigned kMaxCandidates = 16384;
constexpr std::size_t kMaxModules = 4096;
constexpr std::uint32_t kLastState = 3;  // MODULE_STATE_UNFORMED

/// Where the linear mapping that the image of a 32-bit x86 kernel is in ends: modules are in the vmalloc area above it.
std::uint64_t linear_end(PageProbe& probe, GuestVirt image) {
  constexpr std::uint64_t kStep = 2U << 20;
  const auto first = probe.at(image);
  std::uint64_t end = image.value & ~(kStep - 1);
  while (first && end < 0xff000000) {
    const auto here = probe.at(GuestVirt(std::max(end, image.value)));
    if (!here || here->phys.value - std::max(end, image.value) != first->phys.value - image.value) {
      break;
    }
    end += kStep;
  }
  return end;
}

/// Could a module be at `address`? Keeps the many other lists of the kernel's data out.
bool in_module_area(const ModuleListPlace& place, std::uint64_t linear_end, std::uint64_t address) {
  const std::uint64_t image = place.image_begin.value;
  if (address >= image && address < place.data_begin.value + kDataBytes) {
    return false;  // the kernel's own image, which its data points into everywhere
  }
  switch (place.arch.id) {
    case ArchId::arm32: {
      // 16 MiB below PAGE_OFFSET, which is a multiple of 256 MiB at or below the code.
      const std::uint64_t page_offset = image & ~std::uint64_t{0xfffffff};
      return address < page_offset && page_offset - address <= (16U << 20);
    }
    case ArchId::arm64: {
      const std::uint64_t distance = address > image ? address - image : image - address;
      return distance < (std::uint64_t{2} << 30) + (128U << 20);
    }
    case ArchId::x86_64:
      return address >= 0xffffffffa0000000 && address < 0xffffffffff000000;
    case ArchId::x86_32:
      break;
  }
  return address >= linear_end && address < 0xfffff000;
}

std::optional<std::string> module_name(std::span<const std::byte> field) {
  std::string name;
  for (const std::byte b : field) {
    const char c = static_cast<char>(b);
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!good) {
      break;
    }
    name.push_back(c);
  }
  const bool padded = std::all_of(field.begin() + static_cast<std::ptrdiff_t>(name.size()), field.end(),
                                  [](std::byte b) { return b == std::byte{0}; });
  return !name.empty() && name.size() < field.size() && padded ? std::optional(name) : std::nullopt;
}

/// One element: struct module {enum state; struct list_head list; char name[64 - sizeof(long)]; ...}.
struct Node {
  GuestVirt next;
  GuestVirt prev;
  std::string name;
};

std::optional<Node> read_node(VirtMemory& search, GuestVirt list, unsigned word_size) {
  std::vector<std::byte> bytes(std::size_t{2} * word_size + 64);
  if (list.value % word_size != 0 || !search.read(list - word_size, bytes)) {
    return std::nullopt;
  }
  const auto word = [&](std::size_t i) {
    const std::byte* at = bytes.data() + i * word_size;
    return word_size == 4 ? load_le<std::uint32_t>(at) : load_le<std::uint64_t>(at);
  };
  auto name = module_name(std::span(bytes).subspan(3 * std::size_t{word_size}, 64 - word_size));
  if (!name || load_le<std::uint32_t>(bytes.data()) > kLastState) {
    return std::nullopt;
  }
  return Node{GuestVirt(word(1)), GuestVirt(word(2)), std::move(*name)};
}

}  // namespace

std::optional<GuestVirt> find_module_head(PageProbe& probe, VirtMemory& search, const ModuleListPlace& place) {
  const unsigned word_size = place.arch.word_size;
  const std::uint64_t linear = place.arch.id == ArchId::x86_32 ? linear_end(probe, place.image_begin) : 0;
  std::optional<GuestVirt> head;
  unsigned candidates = 0;
  const auto visit = [&](GuestVirt at, std::span<const std::byte> bytes) {
    const auto word = [&](std::size_t offset) {
      return word_size == 4 ? load_le<std::uint32_t>(bytes.data() + offset)
                            : load_le<std::uint64_t>(bytes.data() + offset);
    };
    for (std::size_t offset = 0; offset + 2 * std::size_t{word_size} <= bytes.size(); offset += word_size) {
      const std::uint64_t next = word(offset);
      if (next < 0x1000 || !in_module_area(place, linear, next) ||
          !in_module_area(place, linear, word(offset + word_size))) {
        continue;
      }
      const GuestVirt here = at + offset;
      const GuestVirt last(word(offset + word_size));
      if (GuestVirt(next) == here || ++candidates > kMaxCandidates) {
        continue;
      }
      const auto first = read_node(search, GuestVirt(next), word_size);
      if (!first || first->prev != here) {
        continue;
      }
      if (const auto back = read_node(search, last, word_size); back && back->next == here) {
        head = here;
        return false;
      }
    }
    return true;
  };
  for (const GuestVirt page : place.likely) {
    scan_mapped(probe, search, {page, page + kXenPageSize, kXenPageSize, kXenPageSize}, 0, visit);
    if (head) {
      return head;
    }
  }
  scan_mapped(probe, search, {place.data_begin, GuestVirt(~std::uint64_t{0}), kDataBytes, kDataHole},
              2 * std::size_t{word_size}, visit);
  return head;
}

ModuleListing read_module_list(VirtMemory& search, GuestVirt head, unsigned word_size) {
  ModuleListing listing;
  std::vector<ModuleBytes> structures;
  auto next = search.read_word(head, word_size);
  GuestVirt before = head;
  while (next && GuestVirt(*next) != head) {
    const GuestVirt list(*next);
    const auto node = read_node(search, list, word_size);
    // A list whose every member points back to the one before comes to none of them twice.
    if (!node || node->prev != before || structures.size() >= kMaxModules) {
      listing.problem =
          fmt::format("the list of modules breaks off after {} modules, at {:#x}", structures.size(), list.value);
      break;
    }
    ModuleBytes module{list - word_size, std::vector<std::byte>(ModuleBytes::kSize), node->name};
    read_tolerant(search, module.at, module.bytes);
    structures.push_back(std::move(module));
    before = list;
    next = node->next.value;
  }
  if (!next) {
    listing.problem = fmt::format("the list of modules at {:#x} could not be read", head.value);
  }
  const ModuleLayout layout = tell_module_layout(structures, word_size);
  for (const ModuleBytes& module : structures) {
    listing.modules.push_back(read_module(search, module, layout, word_size));
  }
  if (!structures.empty() && layout.memory == ModuleLayout::Memory::none) {
    listing.problem = "where the modules' code lies could not be told";
  }
  return listing;
}

}  // namespace xstack
