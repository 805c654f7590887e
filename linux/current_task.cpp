// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/current_task.h"

#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/endian.h"
#include "linux/mapped_scan.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMaxStack = 65536;
constexpr std::size_t kMaxTried = 16;

std::optional<std::uint64_t> register_named(const CpuState& cpu, std::string_view name) {
  for (std::size_t i = 0; i < cpu.arch->registers.size(); ++i) {
    if (name == cpu.arch->registers[i].name) {
      return cpu.regs.get(static_cast<RegisterIndex>(i));
    }
  }
  return std::nullopt;
}

/// Where the kernel's stack pointer of this vCPU is or was last: on the task's stack, or at its very top.
std::vector<std::uint64_t> stack_pointers(const CurrentPlace& place) {
  std::vector<std::uint64_t> all;
  const auto add = [&](std::optional<std::uint64_t> sp) {
    if (sp && *sp != 0) {
      all.push_back(*sp);
    }
  };
  // The outermost frames are the task's own; the innermost may be on an interrupt's stack.
  for (auto frame = place.frames.rbegin(); frame != place.frames.rend(); ++frame) {
    add(frame->sp ? std::optional(frame->sp->value) : std::nullopt);
    add(frame->regs.get(place.arch.fp));
  }
  for (const char* name : {"sp_svc", "sp_el1"}) {
    const auto sp = register_named(place.cpu, name);
    add(sp);
    if (sp) {
      add(*sp - place.arch.word_size);  // an empty stack's pointer is just past it
    }
  }
  if (!place.cpu.user) {
    add(place.cpu.regs.get(place.arch.sp));
  }
  return all;
}

/// The task at `at`, if it is one that has a stack.
std::optional<KernelTask> task_at(const CurrentPlace& place, std::uint64_t at) {
  if (at == 0 || at % 16 != 0) {
    return std::nullopt;
  }
  auto task = read_task(place.memory, place.layout, place.arch.word_size, GuestVirt(at));
  const bool sane = task && task->stack.value != 0 && task->stack.value % kXenPageSize == 0 &&
                    place.memory.read_value<std::uint32_t>(task->stack).has_value();
  return sane ? task : std::nullopt;
}

std::optional<KernelTask> by_register(const CurrentPlace& place) {
  if (place.arch.id == ArchId::arm64 && !place.cpu.user) {
    if (const auto current = register_named(place.cpu, "sp_el0")) {
      return task_at(place, *current);
    }
  }
  if (place.arch.id == ArchId::x86_64) {
    const auto base = register_named(place.cpu, "gs_base_kernel");
    for (const char* name : {"current_task", "pcpu_hot"}) {
      const auto variable = base ? place.code.address_of(name) : std::nullopt;
      const auto current =
          variable ? place.memory.read_word(GuestVirt(*base + variable->value), 8) : tl::unexpected(Fault{});
      if (current) {
        if (auto task = task_at(place, *current)) {
          return task;
        }
      }
    }
  }
  return std::nullopt;
}

/// By the stack that the vCPU is on.
class ByStack {
 public:
  explicit ByStack(const CurrentPlace& place) : place_(place) {}

  std::optional<KernelTask> run() {
    for (const std::uint64_t sp : stack_pointers(place_)) {
      // Stacks are aligned to their size, which may be larger than the least (KASAN, 64 KiB pages).
      for (std::uint64_t size = place_.layout.stack_size; size <= kMaxStack; size *= 2) {
        const std::uint64_t stack = sp & ~(size - 1);
        if (stack == 0 || tried_.size() >= kMaxTried || !tried_.insert(stack).second) {
          continue;
        }
        if (auto task = of_stack(stack)) {
          return task;
        }
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<KernelTask> if_on(std::uint64_t at, std::uint64_t stack) {
    if (at == 0 || at % 16 != 0) {
      return std::nullopt;
    }
    const auto mine = place_.search.read_word(GuestVirt(at) + place_.layout.stack, place_.arch.word_size);
    return mine && *mine == stack ? task_at(place_, at) : std::nullopt;
  }

  /// The task whose stack begins at `stack`: it, or the words on the stack, may point to the task.
  std::optional<KernelTask> of_stack(std::uint64_t stack) {
    const unsigned w = place_.arch.word_size;
    for (const GuestVirt task : place_.known) {
      if (auto found = if_on(task.value, stack)) {
        return found;
      }
    }
    std::unordered_set<std::uint64_t> looked;
    for (std::size_t i = 0; i < place_.arch.registers.size(); ++i) {
      const auto value = place_.cpu.regs.get(static_cast<RegisterIndex>(i));
      if (value && looked.insert(*value).second) {
        if (auto found = if_on(*value, stack)) {
          return found;
        }
      }
    }
    std::vector<std::byte> bytes(place_.layout.stack_size);
    read_tolerant(place_.search, GuestVirt(stack), bytes);
    for (std::size_t at = 0; at + w <= bytes.size(); at += w) {
      const std::uint64_t word =
          w == 4 ? load_le<std::uint32_t>(bytes.data() + at) : load_le<std::uint64_t>(bytes.data() + at);
      if (word < kXenPageSize || word % 16 != 0 || word - stack < bytes.size() || !looked.insert(word).second) {
        continue;
      }
      if (auto found = if_on(word, stack)) {
        return found;
      }
    }
    return std::nullopt;
  }

  const CurrentPlace& place_;
  std::unordered_set<std::uint64_t> tried_;
};

}  // namespace

std::optional<KernelTask> current_task(const CurrentPlace& place) {
  if (auto task = by_register(place)) {
    return task;
  }
  return ByStack(place).run();
}

}  // namespace xstack
