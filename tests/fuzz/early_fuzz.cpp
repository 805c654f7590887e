// SPDX-License-Identifier: LGPL-2.1-or-later
// Guests that die early: boot headers, the decompressor's code, calls that say where code lies, and instructions that
// lead nowhere, in memory of any content. The first eight bytes say where pc is and which architecture; the rest is
// memory from 1 GiB on, over and over.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "arch/standstill.h"
#include "base/endian.h"
#include "linux/boot_image.h"
#include "linux/call_targets.h"
#include "tests/support/repeated_memory.h"

namespace {

using namespace xstack;

constexpr std::uint64_t kBegin = 0x40000000;
constexpr std::uint64_t kSize = 256U << 10;

void check(ArchId arch, std::uint64_t pc, std::span<const std::byte> data, std::uint64_t begin) {
  test::RepeatedMemory<GuestPhys> memory(data, begin, kSize);
  test::RepeatedMemory<GuestVirt> code(data, begin, kSize);
  const std::array ram = {FrameRange{GuestPhys(begin), kSize / kXenPageSize}};
  if (const auto image = find_boot_image(memory, arch, ram)) {
    if (image->size == 0 || image->code >= image->size) {
      __builtin_trap();
    }
    static_cast<void>(in_decompressor(memory, *image, GuestPhys(pc)));
  }
  std::vector<std::uint64_t> functions;
  for (std::uint64_t at = 0; at + 4 <= data.size() && functions.size() < 4096; at += 4) {
    functions.push_back(0xc0000000 + load_le_at<std::uint32_t>(data, at).value_or(0) % 0x100000);
  }
  const std::array pages = {GuestVirt(pc & ~std::uint64_t{4095}), GuestVirt(begin), GuestVirt(begin + 0x3000)};
  if (const auto placed = place_by_calls(code, arch, pages, functions); placed && placed->agree > placed->calls) {
    // One target may agree with one function only, and targets are counted once.
    __builtin_trap();
  }
  GuestIdentity guest;
  guest.type = (pc & 1) != 0 ? GuestType::pv : GuestType::hvm;
  CpuState cpu;
  cpu.arch = &arch_ops(arch);
  cpu.mmu_on = false;
  for (std::size_t i = 0; i < cpu.arch->registers.size(); ++i) {
    cpu.regs.set(static_cast<RegisterIndex>(i), load_le_at<std::uint64_t>(data, i * 8).value_or(0));
  }
  cpu.regs.set(cpu.arch->pc, pc);
  const auto still = standstill_of(guest, cpu, code);
  if (still && still->how.empty()) {
    __builtin_trap();
  }
  static_cast<void>(not_started(guest, cpu, code));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (size < 16) {
    return 0;
  }
  const auto where = load_le_at<std::uint32_t>(bytes, 0).value_or(0);
  static constexpr std::array kArches = {ArchId::arm32, ArchId::arm64, ArchId::x86_32, ArchId::x86_64};
  const ArchId arch = kArches[data[4] % kArches.size()];
  const bool x86 = arch == ArchId::x86_32 || arch == ArchId::x86_64;
  const std::uint64_t begin = x86 ? 0 : kBegin;
  check(arch, begin + where % (kSize + 64), bytes.subspan(8), begin);
  return 0;
}
