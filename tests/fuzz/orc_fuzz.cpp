// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole x86 traces over arbitrary stacks, code and ORC tables: each must end, and soon.
#include <span>

#include "arch/x86/registers.h"
#include "arch/x86/x86.h"
#include "base/endian.h"
#include "linux/kernel.h"
#include "linux/x86_orc_tables.h"
#include "tests/support/repeating_memory.h"
#include "unwind/walker.h"

namespace {

using namespace xstack;

constexpr std::uint64_t kImage = 0xffffffff81000000;
constexpr std::uint64_t kImageSize = 0x40000;

class Code final : public CodeInfo {
 public:
  std::optional<CodeSymbol> function_at(GuestVirt at) override {
    if (at.value < kImage || at.value >= kImage + kImageSize) {
      return std::nullopt;
    }
    static constexpr const char* kNames[] = {"f", "hypercall_page", "srso_return_thunk", "ret_from_fork"};
    const std::uint64_t start = at.value & ~0xffULL;
    return CodeSymbol{kNames[(start >> 8) % 4], GuestVirt(start), 0x100, {}};
  }
  std::optional<bool> is_code(GuestVirt at) override { return at.value >= kImage && at.value < kImage + kImageSize; }
  std::optional<GuestVirt> address_of(std::string_view) override { return std::nullopt; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  test::RepeatingMemory memory(bytes);
  Code code;
  const auto u64 = [&](std::uint64_t at) { return load_le_at<std::uint64_t>(bytes, at).value_or(at); };
  UnwindTables tables;
  const std::uint64_t mix = u64(0);
  tables.orc_layout.types = static_cast<OrcLayout::Types>(mix % 3);
  tables.orc_layout.registers = static_cast<OrcLayout::Registers>((mix >> 8) % 2);
  tables.orc_layout.indirect_offset_before = ((mix >> 16) & 1) != 0;
  if (((mix >> 17) & 1) != 0) {
    tables.orc.push_back(OrcTable{GuestVirt(u64(8)),
                                  GuestVirt(u64(16)),
                                  static_cast<std::uint32_t>(mix >> 32),
                                  GuestVirt(kImage),
                                  GuestVirt(kImage + kImageSize),
                                  {}});
  }
  for (const ArchOps* arch : {&x86_64_ops(), &x86_32_ops()}) {
    CpuState cpu;
    cpu.arch = arch;
    for (RegisterIndex i = 0; i < 17; ++i) {
      cpu.regs.set(i, u64(24 + std::uint64_t{i} * 8));
    }
    cpu.regs.set(arch->pc, kImage + u64(24) % kImageSize);
    StepContext context{cpu, memory, code, tables, true};
    const Walk walk = walk_stack(context, 64);
    if (walk.frames.empty() || walk.frames.size() > 64) {
      __builtin_trap();
    }
  }
  const FoundOrc found = find_kernel_orc(memory, GuestVirt(kImage), GuestVirt(kImage + kImageSize), code);
  if (found.tables.empty() && found.why_not.empty()) {
    __builtin_trap();
  }
  KernelModule module;
  module.structure = GuestVirt(kImage);
  module.text_begin = GuestVirt(kImage);
  module.text_end = GuestVirt(kImage + 0x1000);
  static_cast<void>(find_module_orc(memory, module, GuestVirt(kImage)));
  return 0;
}
