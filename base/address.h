// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace xstack {

/// An address in one address space; addresses of different spaces do not mix. Arithmetic wraps modulo 2^64, as the
/// machine's does: callers that add a length taken from a guest check for the wrap (base/checked.h).
template <class Space>
struct Address {
  std::uint64_t value = 0;

  constexpr Address() = default;
  constexpr explicit Address(std::uint64_t v) : value(v) {}

  friend constexpr auto operator<=>(Address, Address) = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14
  friend constexpr Address operator+(Address a, std::uint64_t n) { return Address(a.value + n); }
  friend constexpr Address operator-(Address a, std::uint64_t n) { return Address(a.value - n); }
  friend constexpr std::uint64_t operator-(Address a, Address b) { return a.value - b.value; }
  constexpr Address& operator+=(std::uint64_t n) {
    value += n;
    return *this;
  }
};

/// What the guest's kernel and programs use; translated by the guest's own (stage 1) page tables.
using GuestVirt = Address<struct GuestVirtSpace>;
/// What the guest's page tables hold: guest-physical addresses (ARM, HVM, PVH), or, for x86 PV, machine addresses.
using GuestPhys = Address<struct GuestPhysSpace>;
/// An address as linked, before KASLR slid it: what System.map and vmlinux hold.
using LinkAddr = Address<struct LinkSpace>;

/// Xen's own page size: gfns and foreign mappings count in these on every architecture, whatever the guest uses.
inline constexpr std::uint64_t kXenPageSize = 4096;

}  // namespace xstack

template <class Space>
struct std::hash<xstack::Address<Space>> {
  std::size_t operator()(xstack::Address<Space> a) const noexcept { return std::hash<std::uint64_t>{}(a.value); }
};
