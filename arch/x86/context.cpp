// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/context.h"

#include <fmt/format.h>

#include <algorithm>

#include "arch/x86/registers.h"
#include "base/endian.h"

namespace xstack::x86 {
namespace {

std::uint64_t u64(std::span<const std::byte> bytes, std::size_t at) {
  return load_le<std::uint64_t>(&bytes[at]);
}
std::uint32_t u32(std::span<const std::byte> bytes, std::size_t at) {
  return load_le<std::uint32_t>(&bytes[at]);
}
std::uint16_t u16(std::span<const std::byte> bytes, std::size_t at) {
  return load_le<std::uint16_t>(&bytes[at]);
}

constexpr std::size_t kShortestRecord = 1000;  // up to and including msr_efer
constexpr std::size_t kUserRegs64 = 520;
constexpr std::size_t kUserRegs32 = 516;
constexpr std::size_t kCsInUserRegs64 = 136;

Context parse64(std::span<const std::byte> bytes) {
  Context out;
  out.flags = u64(bytes, 512);
  const auto regs = bytes.subspan(kUserRegs64);
  // struct cpu_user_regs, public/arch-x86/xen-x86_64.h
  static constexpr std::array<std::size_t, 16> kAt = {80, 40, 88, 96, 104, 112, 32, 152, 72, 64, 56, 48, 24, 16, 8, 0};
  for (std::size_t i = 0; i < kAt.size(); ++i) {
    out.general[i] = u64(regs, kAt[i]);
  }
  out.rip = u64(regs, 128);
  out.cs = u16(regs, kCsInUserRegs64);
  out.rflags = u64(regs, 144);
  out.ss = u16(regs, 160);
  out.es = u16(regs, 168);
  out.ds = u16(regs, 176);
  out.fs = u16(regs, 184);
  out.gs = u16(regs, 192);
  for (std::size_t i = 0; i < 8; ++i) {
    out.ctrlreg[i] = u64(bytes, 4984 + i * 8);
    out.debugreg[i] = u64(bytes, 5048 + i * 8);
  }
  out.fs_base = u64(bytes, 5144);
  out.gs_base_kernel = u64(bytes, 5152);
  out.gs_base_user = u64(bytes, 5160);
  return out;
}

Context parse32(std::span<const std::byte> bytes) {
  Context out;
  out.compat = true;
  out.flags = u32(bytes, 512);
  const auto regs = bytes.subspan(kUserRegs32);
  // struct cpu_user_regs, public/arch-x86/xen-x86_32.h
  static constexpr std::array<std::size_t, 8> kAt = {24, 0, 4, 8, 12, 16, 20, 44};
  for (std::size_t i = 0; i < kAt.size(); ++i) {
    out.general[i] = u32(regs, kAt[i]);
  }
  out.rip = u32(regs, 32);
  out.cs = u16(regs, 36);
  out.rflags = u32(regs, 40);
  out.ss = u16(regs, 48);
  out.es = u16(regs, 52);
  out.ds = u16(regs, 56);
  out.fs = u16(regs, 60);
  out.gs = u16(regs, 64);
  for (std::size_t i = 0; i < 8; ++i) {
    out.ctrlreg[i] = u32(bytes, 2716 + i * 4);
    out.debugreg[i] = u32(bytes, 2748 + i * 4);
  }
  return out;
}

/// A compat context in a buffer of the larger size: the rest is zero, and its fields make sense where the 64-bit ones
/// do not (a 64-bit PV context has nonzero gs_base or ctrlreg[3] there).
bool is_compat_in_large_buffer(std::span<const std::byte> bytes) {
  const auto rest = bytes.subspan(kContextSize32);
  return std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; }) &&
         u32(bytes, 2716 + 3 * 4) != 0;
}

}  // namespace

Result<Context> parse_context(GuestType type, std::span<const std::byte> bytes) {
  if (bytes.size() == kContextSize64) {
    if (type == GuestType::pv && is_compat_in_large_buffer(bytes)) {
      return parse32(bytes);
    }
    return parse64(bytes);
  }
  if (bytes.size() == kContextSize32) {
    return parse32(bytes);
  }
  return fail(Errc::bad_format, fmt::format("a vCPU context of {} bytes is not x86's ({} or {})", bytes.size(),
                                            kContextSize64, kContextSize32));
}

Result<Context> context_of_hvm_record(std::span<const std::byte> bytes) {
  if (bytes.size() < kShortestRecord) {
    return fail(Errc::bad_format, fmt::format("an HVM save record of {} bytes is too short for x86's", bytes.size()));
  }
  Context out;
  // rax, rbx, rcx, rdx, rbp, rsi, rdi, rsp, r8..r15 from 512 on; struct hvm_hw_cpu of public/arch-x86/hvm/save.h
  static constexpr std::array<std::size_t, 8> kOrder = {kRax, kRbx, kRcx, kRdx, kRbp, kRsi, kRdi, kRsp};
  for (std::size_t i = 0; i < out.general.size(); ++i) {
    out.general[i < kOrder.size() ? kOrder[i] : i] = u64(bytes, 512 + i * 8);
  }
  out.rip = u64(bytes, 640);
  out.rflags = u64(bytes, 648);
  out.ctrlreg = {u64(bytes, 656), 0, u64(bytes, 664), u64(bytes, 672), u64(bytes, 680)};
  for (std::size_t i = 0; i < 4; ++i) {
    out.debugreg[i] = u64(bytes, 688 + i * 8);
  }
  out.debugreg[6] = u64(bytes, 720);
  out.debugreg[7] = u64(bytes, 728);
  out.cs = u16(bytes, 736);
  out.ds = u16(bytes, 740);
  out.es = u16(bytes, 744);
  out.fs = u16(bytes, 748);
  out.gs = u16(bytes, 752);
  out.ss = u16(bytes, 756);
  return out;
}

std::optional<HvmRecord> parse_hvm_record(std::span<const std::byte> bytes) {
  if (bytes.size() < kShortestRecord) {
    return std::nullopt;
  }
  HvmRecord out;
  out.cr0 = u64(bytes, 656);
  out.cr2 = u64(bytes, 664);
  out.cr3 = u64(bytes, 672);
  out.cr4 = u64(bytes, 680);
  out.fs_base = u64(bytes, 832);
  out.gs_base = u64(bytes, 840);
  out.tr_base = u64(bytes, 856);
  out.idtr_base = u64(bytes, 872);
  out.gdtr_base = u64(bytes, 880);
  out.cs_attributes = u32(bytes, 888);
  out.ss_attributes = u32(bytes, 908);
  out.shadow_gs = u64(bytes, 944);
  out.lstar = u64(bytes, 960);
  out.efer = u64(bytes, 992);
  return out;
}

}  // namespace xstack::x86
