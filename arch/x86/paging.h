// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "arch/translation.h"

namespace xstack::x86 {

/// The paging modes of the architecture (Intel SDM volume 3, chapter "Paging"; AMD APM volume 2, chapter 5).
enum class PagingMode : std::uint8_t {
  off,   ///< CR0.PG clear: linear is physical
  two,   ///< CR4.PAE clear: 32-bit entries, 4 MiB pages when CR4.PSE is set, with PSE-36 address bits
  pae,   ///< CR4.PAE without long mode: four PDPTEs over 64-bit entries
  four,  ///< long mode
  five,  ///< long mode with CR4.LA57
};

/// One way to walk. Frames in entries are guest-physical, or machine frames for a PV guest: the root's kind decides.
struct Paging {
  PagingMode mode = PagingMode::off;
  GuestPhys root;             ///< of the top table, flag and PCID bits removed
  bool large_pages = true;    ///< CR4.PSE: only asked for in `two`
  std::uint64_t ignored = 0;  ///< bits to clear in entries: an AMD encryption mask that lies inside the address
};

/// The root address in a CR3 value: PCID, cache and no-flush bits removed.
[[nodiscard]] GuestPhys root_of_cr3(PagingMode mode, std::uint64_t cr3);

/// The L3 table of a 32-bit PV guest, whose CR3 holds a frame number of up to 32 bits rotated left by 12 bits
/// (xen_cr3_to_pfn, arch-x86/xen-x86_32.h).
[[nodiscard]] GuestPhys root_of_folded_cr3(std::uint32_t cr3);

/// Page walks. NX, reserved and permission bits are ignored: what the processor would refuse can still be read.
class PageTables final : public Translation {
 public:
  explicit PageTables(Paging paging) : paging_(paging) {}
  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] const Paging& paging() const { return paging_; }

 private:
  Paging paging_;
};

/// The kernel's tables beside a process's, under page table isolation (CONFIG_PAGE_TABLE_ISOLATION, Linux 4.15 on): the
/// two top tables are an 8 KiB-aligned pair, the kernel's first. `user_root` is the second one's address, bit 12 set.
/// Bit 12 also happens to be set in half of all roots without isolation: a walk is only done when the two tables agree
/// about the user half, and faults as unmapped otherwise.
class IsolatedKernelTables final : public Translation {
 public:
  IsolatedKernelTables(PagingMode mode, GuestPhys user_root);
  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override;
  [[nodiscard]] std::string describe() const override;

 private:
  GuestPhys user_root_;
  PageTables kernel_;
};

}  // namespace xstack::x86
