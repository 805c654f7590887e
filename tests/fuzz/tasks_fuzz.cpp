// SPDX-License-Identifier: LGPL-2.1-or-later
// Tasks in arbitrary memory: layouts, lists, saved registers and the task that a vCPU runs must be found, or not, soon.
#include <span>

#include "base/endian.h"
#include "linux/current_task.h"
#include "linux/saved_registers.h"
#include "linux/task_list.h"
#include "linux/task_search.h"
#include "tests/support/repeating_memory.h"

namespace {

using namespace xstack;

class Code final : public CodeInfo {
 public:
  std::optional<CodeSymbol> function_at(GuestVirt) override { return std::nullopt; }
  std::optional<bool> is_code(GuestVirt at) override { return at.value % 3 != 0; }
  std::optional<GuestVirt> address_of(std::string_view) override { return GuestVirt(0x10000); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  test::RepeatingMemory memory(bytes);
  Code code;
  const auto u16 = [&](std::uint64_t at) { return load_le_at<std::uint16_t>(bytes, at).value_or(64); };
  TaskLayout layout;
  layout.init_task = GuestVirt(load_le_at<std::uint64_t>(bytes, 0).value_or(0x10000));
  layout.tasks = u16(8);
  layout.pid = u16(10);
  layout.tgid = u16(12);
  layout.comm = u16(14);
  layout.stack = u16(16);
  layout.state = u16(18);
  layout.thread_node = u16(20);
  layout.signal = u16(22);
  layout.thread_head = u16(24);
  layout.real_parent = u16(26);
  layout.saved_kind = static_cast<TaskLayout::Saved>(u16(28) % 4);
  layout.saved = u16(30);
  for (const ArchId id : {ArchId::arm32, ArchId::arm64, ArchId::x86_32, ArchId::x86_64}) {
    const ArchOps& arch = arch_ops(id);
    const TaskListing listing = read_tasks(memory, layout, arch.word_size, 64);
    if (listing.tasks.size() > 64) {
      __builtin_trap();
    }
    for (const KernelTask& task : listing.tasks) {
      static_cast<void>(state_letter(task));
      static_cast<void>(saved_frame(memory, layout, arch, code, task));
    }
    CpuState cpu;
    cpu.arch = &arch;
    for (RegisterIndex i = 0; i < arch.registers.size(); ++i) {
      cpu.regs.set(i, load_le_at<std::uint64_t>(bytes, 32 + std::uint64_t{i} * 8).value_or(i));
    }
    const GuestVirt known[] = {layout.init_task};
    static_cast<void>(current_task({arch, cpu, {}, memory, memory, code, layout, known}));
    static_cast<void>(tell_task_layout(memory, arch, code, layout.init_task));
  }
  return 0;
}
