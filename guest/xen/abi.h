// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// What xstack needs of the binary interfaces of Xen 4.14 to 4.20, written down here and not taken from one release's
/// headers: one binary serves all of them. The interface of libxenctrl changes with every release; these functions and
/// fields are those that did not (the tags RELEASE-4.14.0 to RELEASE-4.20.0 of tools/include/xenctrl.h,
/// xen/include/public/domctl.h and sysctl.h were compared). What grew, grew behind them.
namespace xstack::xen {

/// `xc_interface`, `xenforeignmemory_handle` and `struct xs_handle`: never looked into.
struct Interface;
struct ForeignHandle;
struct StoreHandle;
/// `struct xentoollog_logger` (libxentoollog, stable ABI): see quiet_logger() in libraries.cpp.
struct Logger;

/// xen_pfn_t: 64 bits on both ARMs (arch-arm.h), `unsigned long` on x86 (arch-x86/xen.h).
#if defined(__arm__) || defined(__aarch64__)
using Pfn = std::uint64_t;
#else
using Pfn = unsigned long;
#endif

/// xc_domaininfo_t is struct xen_domctl_getdomaininfo. It is 100 to 124 bytes long: 4.16 (interface 0x14) put
/// gpaddr_bits behind cpupool, and arch_config behind that grew in 4.15 and later. Everything up to `handle` has stood
/// in its place since before 4.14 (interface 0x12).
namespace domain_info {
inline constexpr std::size_t kBuffer = 1024;  ///< room for one, many times over
inline constexpr std::size_t kDomain = 0;     ///< u16
inline constexpr std::size_t kFlags = 4;      ///< u32, XEN_DOMINF_*
inline constexpr std::size_t kTotPages = 8;   ///< u64
inline constexpr std::size_t kMaxPages = 16;  ///< u64
inline constexpr std::size_t kSharedInfoFrame = 48;
inline constexpr std::size_t kMaxVcpuId = 68;  ///< u32, ~0 when there is none
inline constexpr std::size_t kHandle = 76;     ///< 16 bytes, the UUID

inline constexpr std::uint32_t kDying = 1U << 0;
inline constexpr std::uint32_t kHvm = 1U << 1;
inline constexpr std::uint32_t kShutdown = 1U << 2;
inline constexpr std::uint32_t kPaused = 1U << 3;
inline constexpr std::uint32_t kBlocked = 1U << 4;
inline constexpr unsigned kShutdownShift = 16;
inline constexpr std::uint32_t kShutdownMask = 255;
}  // namespace domain_info

/// struct vcpu_guest_context: arch-arm.h until Xen 4.15 and from 4.16 (interface 0x14) on; arch-x86/xen.h.
inline constexpr std::size_t kArmContextOld = 344;
inline constexpr std::size_t kArmContext = 352;
inline constexpr std::size_t kX86Context64 = 5168;
inline constexpr std::size_t kX86Context32 = 2800;
/// VGCF_online: bit 0 of the first word on ARM; bit 5 of the word behind the 512 bytes of fpu_ctxt on x86.
inline constexpr std::uint32_t kArmOnline = 1U << 0;
inline constexpr std::size_t kX86FlagsOffset = 512;
inline constexpr std::uint32_t kX86Online = 1U << 5;

/// HVM_SAVE_CODE(CPU) and sizeof(struct hvm_hw_cpu): public/arch-x86/hvm/save.h, the same in 4.14 to 4.20.
inline constexpr std::uint16_t kHvmSaveCpu = 2;
inline constexpr std::size_t kHvmCpuRecord = 1032;

/// xc_version() commands: public/version.h.
inline constexpr int kVersionNumber = 0;
inline constexpr int kVersionExtra = 1;         ///< char[16]
inline constexpr int kVersionCapabilities = 3;  ///< char[1024]

/// XS_OPEN_READONLY and XBT_NULL: xenstore.h.
inline constexpr unsigned long kStoreReadOnly = 1;
inline constexpr std::uint32_t kNoTransaction = 0;

/// The functions, as the headers declare them. All return -1 (or null) with errno set on failure.
struct Functions {
  // libxenctrl
  Interface* (*interface_open)(Logger*, Logger*, unsigned) = nullptr;
  int (*interface_close)(Interface*) = nullptr;
  int (*version)(Interface*, int, void*) = nullptr;
  int (*domain_getinfolist)(Interface*, std::uint32_t first, unsigned max, void* info) = nullptr;
  int (*domain_pause)(Interface*, std::uint32_t) = nullptr;
  int (*domain_unpause)(Interface*, std::uint32_t) = nullptr;
  int (*vcpu_getcontext)(Interface*, std::uint32_t, std::uint32_t vcpu, void* context) = nullptr;
  int (*domain_maximum_gpfn)(Interface*, std::uint32_t, Pfn*) = nullptr;
  /// Bytes of Xen's console ring; null when the library lacks it. `clear` must be 0: what is read stays there.
  int (*read_console_ring)(Interface*, char* buffer, unsigned* count, int clear, int incremental,
                           std::uint32_t* index) = nullptr;
  // x86 only, null elsewhere
  int (*hvm_getcontext_partial)(Interface*, std::uint32_t, std::uint16_t type, std::uint16_t instance, void*,
                                std::uint32_t size) = nullptr;
  int (*get_guest_width)(Interface*, std::uint32_t, unsigned*) = nullptr;
  // libxenforeignmemory
  ForeignHandle* (*foreign_open)(Logger*, unsigned) = nullptr;
  int (*foreign_close)(ForeignHandle*) = nullptr;
  void* (*foreign_map)(ForeignHandle*, std::uint32_t, int prot, std::size_t, const Pfn*, int* err) = nullptr;
  int (*foreign_unmap)(ForeignHandle*, void*, std::size_t) = nullptr;
  // libxenstore; null when it is not there: names are then unknown
  StoreHandle* (*store_open)(unsigned long) = nullptr;
  void (*store_close)(StoreHandle*) = nullptr;
  void* (*store_read)(StoreHandle*, std::uint32_t, const char*, unsigned*) = nullptr;
};

}  // namespace xstack::xen
