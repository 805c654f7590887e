// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/row_tracer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "arch/arch.h"
#include "arch/find_register.h"
#include "guest/memory.h"
#include "linux/arm32_unwind_tables.h"
#include "linux/x86_orc_tables.h"
#include "logs/words.h"
#include "unwind/walker.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kMostTables = 16;
constexpr std::size_t kMostGuesses = 64;

/// May a module of the kernel lie there, when its files say nothing of modules? On ARM they lie just below the kernel,
/// where no other kernel's code is, wherever KASLR put that. On x86 they lie above it, at places that other kernels use
/// too: only the code can tell there whether a word is a return address of this one. x86-64 kernels without
/// CONFIG_RANDOMIZE_BASE have theirs lower still, where KASLR puts others: those are not taken for modules.
bool may_be_module(ArchId arch, KernelFile& file, std::uint64_t slide, std::uint64_t address) {
  constexpr std::uint64_t kMiB = 1ULL << 20;
  if (file.text_begin() >= file.text_end()) {
    return false;
  }
  const std::uint64_t text = file.text_begin() + slide;
  switch (arch) {
    case ArchId::arm32: {
      const std::uint64_t page_offset = text & ~(16 * kMiB - 1);
      return address >= page_offset - 16 * kMiB && address < page_offset;
    }
    case ArchId::arm64:
      return text > 2048 * kMiB && address >= text - 2048 * kMiB && address < text;
    case ArchId::x86_64:
      return file.image().end() != 0 && address >= 0xffffffffc0000000ULL && address < 0xffffffffff000000ULL;
    case ArchId::x86_32:  // in vmalloc's part, which ends below the fixed mappings (arch/x86/include/asm/fixmap.h)
      return file.image().end() != 0 && address >= file.image().end() + slide && address < 0xffc00000ULL;
  }
  return false;
}

/// Names and the text's bounds, where the kernel runs.
class SlidCode final : public CodeInfo {
 public:
  SlidCode(ArchId arch, KernelFile& file, std::uint64_t slide) : arch_(arch), file_(file), slide_(slide) {}

  std::optional<CodeSymbol> function_at(GuestVirt address) override {
    const std::uint64_t at = address.value - slide_;
    auto symbol = file_.is_code(at) ? file_.symbol_at(at) : std::nullopt;
    if (symbol) {
      symbol->start += slide_;
    }
    return symbol;
  }
  std::optional<bool> is_code(GuestVirt address) override {
    const bool known = file_.is_code(address.value - slide_);
    // arm64's frame records lead through modules that nobody knows. The others have nothing like them: there a word
    // that is no code for certain ends the search for a caller sooner.
    return !known && arch_ == ArchId::arm64 && may_be_module(arch_, file_, slide_, address.value)
               ? std::nullopt
               : std::optional(known);
  }
  std::optional<GuestVirt> address_of(std::string_view name) override {
    const auto address = file_.well_known(name);
    return address ? std::optional(GuestVirt(*address + slide_)) : std::nullopt;
  }

 private:
  ArchId arch_;
  KernelFile& file_;
  std::uint64_t slide_;
};

/// The rows of a stack, and the image of the kernel round them.
class PrintedMemory final : public VirtMemory {
 public:
  PrintedMemory(const FileImage& image, std::uint64_t slide) : image_(image), slide_(slide) {}

  /// Words as printed: of 8 bytes even when the guest's are of 4, in which case the halves lie as in memory.
  void put_stack(std::uint64_t at, std::span<const std::uint64_t> words, unsigned word_size) {
    stack_at_ = at;
    for (const std::uint64_t word : words) {
      for (unsigned i = 0; i < word_size; ++i) {
        stack_.push_back(static_cast<std::byte>(word >> (8 * i)));
      }
    }
  }

  /// What the kernel writes to, link-time addresses: the stack of the first task is there, and the file has it empty.
  void hide(std::uint64_t begin, std::uint64_t end) { hidden_ = Range{begin, end}; }

  tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    std::span<const std::byte> from;
    if (at.value >= stack_at_ && at.value - stack_at_ < stack_.size()) {
      from = std::span(stack_).subspan(at.value - stack_at_);
    } else {
      from = in_image(at.value - slide_, out.size());
    }
    if (from.empty()) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    const std::size_t n = std::min(from.size(), out.size());
    std::memcpy(out.data(), from.data(), n);
    return n;
  }

 private:
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };

  [[nodiscard]] std::span<const std::byte> in_image(std::uint64_t at, std::size_t size) const {
    const auto bytes = image_.at(at, size);
    if (!hidden_ || at >= hidden_->end || at + bytes.size() <= hidden_->begin) {
      return bytes;
    }
    return at < hidden_->begin ? bytes.first(hidden_->begin - at) : std::span<const std::byte>();
  }

  const FileImage& image_;
  std::uint64_t slide_;
  std::optional<Range> hidden_;
  std::uint64_t stack_at_ = 0;
  std::vector<std::byte> stack_;
};

std::optional<std::uint64_t> value_of(const Report& report, std::string_view name) {
  const auto found =
      std::ranges::find(report.registers, name, [](const auto& entry) { return std::string_view(entry.first); });
  return found == report.registers.end() ? std::nullopt : std::optional(found->second);
}

/// The guest's architecture: the image's, else what the registers and the addresses of the symbols show.
std::optional<ArchId> arch_of(const Report& report, const KernelFile& file) {
  if (const auto arch = file.arch()) {
    return arch;
  }
  if (value_of(report, "x1")) {
    return ArchId::arm64;
  }
  if (value_of(report, "r1") && value_of(report, "cpsr")) {
    return ArchId::arm32;
  }
  if (value_of(report, "rip") || value_of(report, "eip")) {
    return file.text_end() > 0xffffffffULL ? ArchId::x86_64 : ArchId::x86_32;
  }
  return std::nullopt;
}

/// What Xen calls a register, as the architecture's table does. Xen has no other names for those that are not here.
std::string_view table_name(ArchId arch, std::string_view printed) {
  struct Pair {
    std::string_view printed;
    std::string_view table;
  };
  static constexpr std::array kArm64 = {Pair{"lr"sv, "x30"sv}, Pair{"fp"sv, "x29"sv}, Pair{"cpsr"sv, "pstate"sv},
                                        Pair{"tcr_el1"sv, "tcr"sv}, Pair{"sctlr_el1"sv, "sctlr"sv}};
  static constexpr std::array kX86 = {Pair{"rip"sv, "eip"sv}, Pair{"rsp"sv, "esp"sv}, Pair{"rbp"sv, "ebp"sv},
                                      Pair{"rax"sv, "eax"sv}, Pair{"rbx"sv, "ebx"sv}, Pair{"rcx"sv, "ecx"sv},
                                      Pair{"rdx"sv, "edx"sv}, Pair{"rsi"sv, "esi"sv}, Pair{"rdi"sv, "edi"sv}};
  const std::span<const Pair> pairs = arch == ArchId::arm64    ? std::span<const Pair>(kArm64)
                                      : arch == ArchId::x86_32 ? std::span<const Pair>(kX86)
                                                               : std::span<const Pair>();
  for (const Pair& pair : pairs) {
    if (pair.printed == printed) {
      return pair.table;
    }
  }
  return printed;
}

/// arm32: the stack pointer and the return address of the mode in the PSR; SYS has USR's.
std::string_view bank_of(std::uint64_t psr) {
  switch (psr & 0x1f) {
    case 0x11:
      return "_fiq";
    case 0x12:
      return "_irq";
    case 0x13:
      return "_svc";
    case 0x17:
      return "_abt";
    case 0x1b:
      return "_und";
    default:
      return "_usr";
  }
}

std::optional<CpuState> cpu_of(const Report& report, const ArchOps& arch) {
  CpuState cpu;
  cpu.arch = &arch;
  cpu.mode = report.mode;
  const auto put = [&](std::string_view name, std::uint64_t value) {
    if (const auto index = find_register(arch, name)) {
      cpu.regs.set(*index, arch.word_size == 4 ? value & 0xffffffffU : value);
    }
  };
  for (const auto& [name, value] : report.registers) {
    put(table_name(arch.id, name), value);
  }
  if (arch.id == ArchId::arm32) {
    const std::uint64_t psr = value_of(report, "cpsr").value_or(0x13);
    const std::string bank(bank_of(psr));
    for (const std::string_view name : {"sp"sv, "lr"sv}) {
      if (const auto value = value_of(report, std::string(name) + bank)) {
        put(name, *value);
      }
    }
    cpu.user = (psr & 0xf) == 0;
  } else if (arch.id == ArchId::arm64) {
    const std::uint64_t psr = value_of(report, "cpsr").value_or(5);
    const bool handler = (psr & 0x1f) == 5;
    if (const auto sp = value_of(report, handler ? "sp_el1" : "sp_el0")) {
      put("sp", *sp);
    }
    cpu.user = (psr & 0xf) == 0;
  } else {
    const auto pc = cpu.regs.get(arch.pc);
    cpu.user = pc && (*pc >> (arch.id == ArchId::x86_64 ? 63 : 31) & 1) == 0;
  }
  return cpu.regs.known(arch.pc) ? std::optional(std::move(cpu)) : std::nullopt;
}

UnwindTables find_tables(ArchId arch, KernelFile& file, std::uint64_t slide) {
  UnwindTables tables;
  const FileImage& image = file.image();
  if (image.end() == 0) {
    return tables;
  }
  PrintedMemory memory(image, slide);
  SlidCode code(arch, file, slide);
  const GuestVirt begin(image.begin() + slide);
  const GuestVirt end(image.end() + slide);
  if (arch == ArchId::arm32) {
    tables.ehabi = find_kernel_ehabi(memory, begin, end, code);
  } else if (arch == ArchId::x86_64) {
    FoundOrc found = find_kernel_orc(memory, begin, end, code);
    tables.orc = std::move(found.tables);
    tables.orc_layout = found.layout;
  }
  return tables;
}

logs::Frame frame_of(const xstack::Frame& from) {
  logs::Frame frame;
  frame.address = from.pc.value;
  frame.exact = from.exact;
  frame.guess = from.found_by == FoundBy::scan;
  frame.found_by = to_string(from.found_by);
  return frame;
}

/// Words that lie in the middle of functions: what else they may be nobody can tell.
void guess(std::vector<logs::Frame>& frames, const Report& report, SlidCode& code, unsigned word_size) {
  std::vector<std::uint64_t> words;
  for (const std::uint64_t word : report.stack) {
    if (report.stack_word == 8 && word_size == 4) {
      words.push_back(word & 0xffffffffU);
      words.push_back(word >> 32);
    } else {
      words.push_back(word);
    }
  }
  for (const std::uint64_t word : words) {
    const auto function = code.function_at(GuestVirt(word));
    if (frames.size() < kMostGuesses && function && function->start.value != word) {
      xstack::Frame frame;
      frame.pc = GuestVirt(word);
      frame.found_by = FoundBy::scan;
      frame.exact = false;
      frames.push_back(frame_of(frame));
    }
  }
}

}  // namespace

bool RowTracer::trace(Report& report, KernelFile& file, std::uint64_t slide) {
  // A report of Linux has the kernel's own trace, and Xen prints its own.
  if (report.origin.who != Origin::Who::xen || report.stack.empty() || !report.stack_pointer ||
      report.frames.size() > 1) {
    return false;
  }
  const auto id = arch_of(report, file);
  const ArchOps* arch = id ? &arch_ops(*id) : nullptr;
  auto cpu = arch != nullptr ? cpu_of(report, *arch) : std::nullopt;
  if (!cpu) {
    return false;
  }
  const std::uint64_t pc = *cpu->regs.get(arch->pc);
  if (!cpu->user && !file.is_code(pc - slide)) {
    if (!may_be_module(*id, file, slide, pc)) {
      return false;  // another kernel's, or one that KASLR moved nobody knows how far
    }
    if (arch->lr) {
      cpu->regs.forget(*arch->lr);  // without the module's code nobody can tell whether it still is a return address
    }
  }
  if (tables_.size() >= kMostTables) {
    tables_.clear();
  }
  const auto [tables, added] = tables_.try_emplace(Key{&file, slide});
  if (added) {
    tables->second = find_tables(*id, file, slide);
  }
  PrintedMemory memory(file.image(), slide);
  memory.put_stack(*report.stack_pointer, report.stack, report.stack_word);
  if (const auto begin = file.well_known("_sdata"), end = file.well_known("_edata"); begin && end) {
    memory.hide(*begin, *end);
  }
  SlidCode code(*id, file, slide);
  StepContext context{*cpu, memory, code, tables->second, true};
  const Walk walk = walk_stack(context);
  std::vector<logs::Frame> frames;
  for (const auto& frame : walk.frames) {
    frames.push_back(frame_of(frame));
  }
  report.trace_end = to_string(walk.end.reason);
  // Without code and tables the end of a chain of frames may only mean that there is none.
  const bool blind = walk.end.reason == EndReason::end_of_stack && file.image().end() == 0;
  const bool ended = walk.end.reason == EndReason::user_mode || walk.end.reason == EndReason::end_of_stack;
  const bool stuck = frames.size() < 2 && (blind || !ended);
  if (stuck) {
    report.trace_end = to_string(EndReason::no_unwind_info);
    guess(frames, report, code, arch->word_size);
  }
  report.frames = std::move(frames);
  return true;
}

}  // namespace xstack::logs
