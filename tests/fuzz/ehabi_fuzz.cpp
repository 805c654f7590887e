// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstddef>
#include <cstdint>
#include <span>

#include "arch/arm32/arm32.h"
#include "arch/arm32/registers.h"
#include "linux/arm32_unwind_tables.h"
#include "unwind/walker.h"

namespace {

using namespace xstack;

/// The input at three places: code at 0xc0000000, tables at 0xc1000000, a stack at 0xd0000000.
class Input final : public VirtMemory {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    const std::uint64_t offset = at.value & 0xffffff;
    const std::uint64_t place = at.value >> 24;
    if ((place != 0xc0 && place != 0xc1 && place != 0xd0) || offset >= bytes_.size()) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    std::size_t n = 0;
    for (; n < out.size() && offset + n < bytes_.size(); ++n) {
      out[n] = std::byte{bytes_[offset + n]};
    }
    return n;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// Functions of 64 bytes, some of which are entry code.
class Functions final : public CodeInfo {
 public:
  std::optional<CodeSymbol> function_at(GuestVirt at) override {
    if (at.value >> 24 != 0xc0) {
      return std::nullopt;
    }
    const std::uint64_t n = at.value / 64;
    return CodeSymbol{n % 8 == 1 ? "__irq_svc" : n % 8 == 2 ? "ret_fast_syscall" : "f", GuestVirt(n * 64), 64, {}};
  }
  std::optional<bool> is_code(GuestVirt at) override { return at.value >> 24 == 0xc0; }
  std::optional<GuestVirt> address_of(std::string_view name) override {
    (void)name;
    return std::nullopt;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHead = 16 * 4 + 4;
  if (size <= kHead || size > 65536) {
    return 0;
  }
  CpuState cpu;
  cpu.arch = &arm32_ops();
  for (RegisterIndex i = 0; i < 16; ++i) {
    cpu.regs.set(i, load_le<std::uint32_t>(reinterpret_cast<const std::byte*>(data) + i * 4));
  }
  cpu.regs.set(arm32::kPc, 0xc0000000 + *cpu.regs.get(arm32::kPc) % size);
  cpu.regs.set(arm32::kSp, 0xd0000000 + (*cpu.regs.get(arm32::kSp) % size & ~3ULL));
  cpu.regs.set(arm32::kCpsr, 0x10 | data[kHead - 1]);
  for (RegisterIndex i = arm32::kR8Usr; i <= arm32::kSpsrUnd; ++i) {
    cpu.regs.set(i, 0xd0000000 + data[i]);
  }
  Input memory(std::span(data, size));
  Functions code;
  UnwindTables tables;
  tables.ehabi = find_kernel_ehabi(memory, GuestVirt(0xc1000000), GuestVirt(0xc1010000), code);
  tables.ehabi.push_back({GuestVirt(0xc1000000 + data[kHead - 2] * 4ULL),
                          data[kHead - 3],
                          GuestVirt(0xc0000000),
                          GuestVirt(0xc0010000),
                          {}});
  KernelModule module;
  module.structure = GuestVirt(0xc1000000);
  module.text_begin = GuestVirt(0xc0000000);
  module.text_end = GuestVirt(0xc0010000);
  for (auto& table : find_module_ehabi(memory, module)) {
    tables.ehabi.push_back(std::move(table));
  }
  StepContext context{cpu, memory, code, tables, (data[kHead - 4] & 1) != 0};
  if (walk_stack(context).frames.size() > kMaxFrames) {
    __builtin_trap();
  }
  return 0;
}
