// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/paging.h"

#include <fmt/format.h>

#include <array>

#include "base/endian.h"

namespace xstack::x86 {
namespace {

constexpr std::uint64_t kPresent = 1;
constexpr std::uint64_t kPageSize = 1U << 7;
constexpr std::uint64_t kAddressBits = 0x000f'ffff'ffff'f000;

/// What one table entry says.
struct Entry {
  std::uint64_t value = 0;
  int level = 0;
};

/// Reads the entry at `at`; when that cannot be read, the fault names the entry that led here.
template <class T>
tl::expected<Entry, Fault> read_entry(PhysMemory& memory, GuestPhys at, GuestVirt va, Entry parent, int level,
                                      unsigned shift) {
  const auto value = memory.read_value<T>(at);
  if (!value) {
    return tl::unexpected(
        Fault{value.error().kind, va.value, parent.level == 0 ? -2 : parent.level, parent.value, 1ULL << shift});
  }
  if ((*value & kPresent) == 0) {
    return tl::unexpected(Fault{FaultKind::unmapped, va.value, level, *value, 1ULL << shift});
  }
  return Entry{*value, level};
}

Mapping leaf(GuestVirt va, std::uint64_t base, unsigned shift, int level) {
  const std::uint64_t size = 1ULL << shift;
  const std::uint64_t offset = va.value & (size - 1);
  return Mapping{GuestPhys(base + offset), size - offset, size, level};
}

tl::expected<Mapping, Fault> walk_two(const Paging& paging, PhysMemory& memory, GuestVirt va) {
  if (va.value >> 32 != 0) {
    return tl::unexpected(Fault{FaultKind::out_of_range, va.value});
  }
  const auto directory = read_entry<std::uint32_t>(memory, paging.root + (va.value >> 22) * 4, va, Entry{}, 2, 22);
  if (!directory) {
    return tl::unexpected(directory.error());
  }
  if (paging.large_pages && (directory->value & kPageSize) != 0) {
    // PSE-36: bits 20:13 are address bits 39:32.
    const std::uint64_t high = ((directory->value >> 13) & 0xff) << 32;
    return leaf(va, (directory->value & 0xffc0'0000) | high, 22, 2);
  }
  const GuestPhys table(directory->value & 0xffff'f000);
  const auto entry = read_entry<std::uint32_t>(memory, table + ((va.value >> 12) & 0x3ff) * 4, va, *directory, 1, 12);
  if (!entry) {
    return tl::unexpected(entry.error());
  }
  return leaf(va, entry->value & 0xffff'f000, 12, 1);
}

/// PAE and long mode: 64-bit entries, `top` levels, nine bits of index each (two in the PDPT of PAE).
tl::expected<Mapping, Fault> walk_wide(const Paging& paging, PhysMemory& memory, GuestVirt va, int top) {
  const std::uint64_t address_bits = kAddressBits & ~paging.ignored;
  GuestPhys table = paging.root;
  Entry parent;
  for (int level = top; level >= 1; --level) {
    const unsigned shift = 12 + 9 * static_cast<unsigned>(level - 1);
    const auto entry =
        read_entry<std::uint64_t>(memory, table + ((va.value >> shift) & 0x1ff) * 8, va, parent, level, shift);
    if (!entry) {
      return tl::unexpected(entry.error());
    }
    const bool pae_pdpt = paging.mode == PagingMode::pae && level == 3;
    const bool large = level > 1 && !pae_pdpt && (entry->value & kPageSize) != 0;
    if (large && level > 3) {
      return tl::unexpected(Fault{FaultKind::bad_table, va.value, level, entry->value, 1ULL << shift});
    }
    if (large || level == 1) {
      // Masking to the page's size also removes the PAT bit of a large page (bit 12).
      const std::uint64_t size = 1ULL << shift;
      return leaf(va, entry->value & address_bits & ~(size - 1), shift, level);
    }
    table = GuestPhys(entry->value & address_bits);
    parent = *entry;
  }
  return tl::unexpected(Fault{FaultKind::unmapped, va.value});
}

}  // namespace

GuestPhys root_of_cr3(PagingMode mode, std::uint64_t cr3) {
  switch (mode) {
    case PagingMode::off:
      return GuestPhys(0);
    case PagingMode::two:
      return GuestPhys(cr3 & 0xffff'f000);
    case PagingMode::pae:
      return GuestPhys(cr3 & 0xffff'ffe0);
    case PagingMode::four:
    case PagingMode::five:
      break;
  }
  return GuestPhys(cr3 & kAddressBits);
}

GuestPhys root_of_folded_cr3(std::uint32_t cr3) {
  const std::uint32_t frame = (cr3 >> 12) | (cr3 << 20);
  return GuestPhys(static_cast<std::uint64_t>(frame) << 12);
}

tl::expected<Mapping, Fault> PageTables::walk(PhysMemory& memory, GuestVirt va) const {
  switch (paging_.mode) {
    case PagingMode::off:
      return Mapping{GuestPhys(va.value), kXenPageSize - va.value % kXenPageSize, kXenPageSize, 0};
    case PagingMode::two:
      return walk_two(paging_, memory, va);
    case PagingMode::pae:
      if (va.value >> 32 != 0) {
        return tl::unexpected(Fault{FaultKind::out_of_range, va.value});
      }
      return walk_wide(paging_, memory, va, 3);
    case PagingMode::four:
    case PagingMode::five:
      break;
  }
  const bool five = paging_.mode == PagingMode::five;
  if (static_cast<std::uint64_t>(sign_extend(va.value, five ? 57 : 48)) != va.value) {
    return tl::unexpected(Fault{FaultKind::out_of_range, va.value});
  }
  return walk_wide(paging_, memory, va, five ? 5 : 4);
}

std::string PageTables::describe() const {
  switch (paging_.mode) {
    case PagingMode::off:
      return "paging off";
    case PagingMode::two:
      return fmt::format("2-level{}, root {:#x}", paging_.large_pages ? " with PSE" : "", paging_.root.value);
    case PagingMode::pae:
      return fmt::format("3-level PAE, root {:#x}", paging_.root.value);
    case PagingMode::four:
      return fmt::format("4-level, root {:#x}", paging_.root.value);
    case PagingMode::five:
      return fmt::format("5-level, root {:#x}", paging_.root.value);
  }
  return "?";
}

IsolatedKernelTables::IsolatedKernelTables(PagingMode mode, GuestPhys user_root)
    : user_root_(user_root), kernel_(Paging{mode, GuestPhys(user_root.value & ~0x1fffULL)}) {}

tl::expected<Mapping, Fault> IsolatedKernelTables::walk(PhysMemory& memory, GuestVirt va) const {
  constexpr std::size_t kHalf = 256;
  std::array<std::byte, kHalf * 8> user{};
  std::array<std::byte, kHalf * 8> kernel{};
  const auto not_a_pair = tl::unexpected(Fault{FaultKind::unmapped, va.value});
  if (!memory.read(user_root_, user) || !memory.read(kernel_.paging().root, kernel)) {
    return not_a_pair;
  }
  bool any = false;
  for (std::size_t i = 0; i < kHalf; ++i) {
    const auto in_user = load_le<std::uint64_t>(&user[i * 8]);
    const auto in_kernel = load_le<std::uint64_t>(&kernel[i * 8]);
    if ((in_user & kPresent) == 0) {
      continue;
    }
    // The kernel's copy of a user entry is not executable; accessed and other software bits may differ too.
    if (((in_user ^ in_kernel) & (kAddressBits | kPresent)) != 0) {
      return not_a_pair;
    }
    any = true;
  }
  return any ? kernel_.walk(memory, va) : tl::expected<Mapping, Fault>(not_a_pair);
}

std::string IsolatedKernelTables::describe() const {
  return "kernel half of isolated tables, " + kernel_.describe();
}

}  // namespace xstack::x86
