// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/prstatus.h"

#include <fmt/format.h>

#include "base/endian.h"
#include "guest/prstatus.h"

namespace xstack::x86 {
namespace {

constexpr std::size_t kSegments =
    152;  // behind version, size and 18 registers; {selector, limit, flags, pad, base} each
constexpr std::size_t kSegmentSize = 24;
constexpr std::size_t kBaseInSegment = 16;
constexpr std::size_t kControl = kSegments + 10 * kSegmentSize;
constexpr std::size_t kShortest = kControl + 5 * 8;

Context parse64(const std::byte* regs) {
  const auto word = [&](std::size_t i) { return load_le<std::uint64_t>(regs + i * 8); };
  Context out;
  // Where rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp and r8..r15 stand.
  static constexpr std::array<std::size_t, 16> kAt = {10, 5, 11, 12, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0};
  for (std::size_t i = 0; i < kAt.size(); ++i) {
    out.general[i] = word(kAt[i]);
  }
  out.rip = word(16);
  out.cs = static_cast<std::uint16_t>(word(17));
  out.rflags = word(18);
  out.ss = static_cast<std::uint16_t>(word(20));
  out.ds = static_cast<std::uint16_t>(word(23));
  out.es = static_cast<std::uint16_t>(word(24));
  out.fs = static_cast<std::uint16_t>(word(25));
  out.gs = static_cast<std::uint16_t>(word(26));
  return out;
}

Context parse32(const std::byte* regs) {
  const auto word = [&](std::size_t i) { return load_le<std::uint32_t>(regs + i * 4); };
  Context out;
  // eax, ebx, ecx, edx, esi, edi, ebp, esp
  static constexpr std::array<std::size_t, 8> kAt = {6, 0, 1, 2, 3, 4, 5, 15};
  for (std::size_t i = 0; i < kAt.size(); ++i) {
    out.general[i] = word(kAt[i]);
  }
  out.ds = static_cast<std::uint16_t>(word(7));
  out.es = static_cast<std::uint16_t>(word(8));
  out.fs = static_cast<std::uint16_t>(word(9));
  out.gs = static_cast<std::uint16_t>(word(10));
  out.rip = word(12);
  out.cs = static_cast<std::uint16_t>(word(13));
  out.rflags = word(14);
  out.ss = static_cast<std::uint16_t>(word(16));
  return out;
}

}  // namespace

Result<Context> parse_prstatus(std::span<const std::byte> bytes) {
  if (bytes.size() == prstatus::kX86_64) {
    return parse64(bytes.data() + prstatus::kRegisters64);
  }
  if (bytes.size() == prstatus::kX86_32) {
    return parse32(bytes.data() + prstatus::kRegisters32);
  }
  return fail(Errc::bad_format, fmt::format("an NT_PRSTATUS of {} bytes is not x86's ({} or {})", bytes.size(),
                                            prstatus::kX86_64, prstatus::kX86_32));
}

std::optional<QemuState> parse_qemu_state(std::span<const std::byte> bytes) {
  if (bytes.size() < kShortest) {
    return std::nullopt;
  }
  const auto u64 = [&](std::size_t at) { return load_le<std::uint64_t>(bytes.data() + at); };
  // cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt
  const auto base = [&](std::size_t segment) { return u64(kSegments + segment * kSegmentSize + kBaseInSegment); };
  QemuState out;
  out.fs_base = base(3);
  out.gs_base = base(4);
  out.tr_base = base(7);
  out.gdtr_base = base(8);
  out.idtr_base = base(9);
  for (std::size_t i = 0; i < out.cr.size(); ++i) {
    out.cr[i] = u64(kControl + i * 8);
  }
  if (bytes.size() >= kShortest + 8) {
    out.kernel_gs_base = u64(kShortest);
  }
  return out;
}

}  // namespace xstack::x86
