// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "arch/translated_memory.h"
#include "base/endian.h"
#include "guest/dump/capture_writer.h"
#include "guest/page_cache.h"
#include "linux/kernel.h"
#include "tools/naming.h"
#include "tools/word_names.h"
#include "unwind/walker.h"

namespace xstack {
namespace {

/// One vCPU as far as it could be decoded.
struct Decoded {
  VcpuContext context;
  std::optional<CpuState> cpu;
  std::optional<std::string> why_not;
};

/// What is taken while the guest stands still: everything after that works on this.
struct Taken {
  std::vector<Decoded> vcpus;
  std::vector<std::optional<Walk>> walks;        ///< parallel to vcpus
  std::vector<std::optional<StackDump>> stacks;  ///< parallel to vcpus
  std::vector<MemoryDump> memory;
  std::optional<std::uint64_t> pause_us;
};

constexpr std::uint64_t kMaxStackDump = 1U << 20;
constexpr std::uint64_t kMaxMemoryDump = 16U << 20;

std::string absent_reason(const VcpuContext& vcpu) {
  switch (vcpu.presence) {
    case VcpuPresence::never_up:
      return "never brought up: Xen has no registers for it";
    case VcpuPresence::unavailable:
      return vcpu.why.empty() ? "Xen would not give its registers" : vcpu.why;
    case VcpuPresence::online:
    case VcpuPresence::offline:
      break;
  }
  return "the input holds no registers for it";
}

std::vector<Decoded> decode_all(const Guest& guest, const ArchOps& arch, std::vector<VcpuContext> contexts) {
  std::vector<Decoded> all;
  for (VcpuContext& context : contexts) {
    Decoded one;
    if (context.context.empty()) {
      one.why_not = absent_reason(context);
    } else if (auto cpu = arch.decode(guest.identity(), context)) {
      one.cpu = std::move(*cpu);
    } else {
      one.why_not = cpu.error().message;
    }
    one.context = std::move(context);
    all.push_back(std::move(one));
  }
  return all;
}

/// Every vCPU's translations, `first`'s before the others', then the kernel's own: a process's tables may lack what
/// another's, or the kernel's, have.
std::vector<std::shared_ptr<const Translation>> translations_of(std::span<const Decoded> vcpus, std::size_t first,
                                                                const Kernel* kernel) {
  std::vector<std::shared_ptr<const Translation>> all;
  const auto take = [&](const Decoded& vcpu) {
    if (vcpu.cpu) {
      all.insert(all.end(), vcpu.cpu->translations.begin(), vcpu.cpu->translations.end());
    }
  };
  if (first < vcpus.size()) {
    take(vcpus[first]);
  }
  if (kernel != nullptr) {
    const auto& own = kernel->kernel_translations();
    all.insert(all.end(), own.begin(), own.end());
  }
  for (std::size_t i = 0; i < vcpus.size(); ++i) {
    if (i != first) {
      take(vcpus[i]);
    }
  }
  return all;
}

StackDump dump_stack(VirtMemory& memory, const CpuState& cpu, std::uint64_t bytes) {
  StackDump dump;
  dump.word_size = cpu.arch->word_size;
  const auto sp = cpu.regs.get(cpu.arch->sp);
  if (!sp) {
    dump.ended = "the stack pointer is not known";
    return dump;
  }
  dump.from = GuestVirt(*sp - *sp % dump.word_size);
  const std::uint64_t page_end = (dump.from.value | (kXenPageSize - 1)) + 1;
  const std::uint64_t want = bytes == 0 ? page_end - dump.from.value : std::min(bytes, kMaxStackDump);
  for (std::uint64_t at = 0; at + dump.word_size <= want; at += dump.word_size) {
    const auto word = memory.read_word(dump.from + at, dump.word_size);
    if (!word) {
      dump.ended = fmt::format("{:#x}: {}", word.error().address, describe(word.error()));
      break;
    }
    dump.words.push_back(*word);
  }
  return dump;
}

MemoryDump dump_memory(VirtMemory& memory, GuestVirt from, std::uint64_t bytes) {
  MemoryDump dump{.from = from, .bytes = {}, .ended = {}};
  const std::uint64_t want = std::min(bytes, kMaxMemoryDump);
  while (dump.bytes.size() < want) {
    std::array<std::byte, kXenPageSize> part{};
    const std::size_t n = std::min<std::uint64_t>(part.size(), want - dump.bytes.size());
    const auto got = memory.read_some(from + dump.bytes.size(), std::span(part).first(n));
    if (!got) {
      dump.ended = fmt::format("{:#x}: {}", got.error().address, describe(got.error()));
      break;
    }
    dump.bytes.insert(dump.bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(*got));
  }
  return dump;
}

/// Stacks, walks and asked-for memory of the vCPUs in `taken`, read through `pages`, which keeps what was read. Without
/// a kernel nothing is walked.
void take_stacks(Taken& taken, const ReportRequest& request, Kernel* kernel, PhysMemory& pages) {
  taken.walks.resize(taken.vcpus.size());
  taken.stacks.resize(taken.vcpus.size());
  for (std::size_t i = 0; i < taken.vcpus.size(); ++i) {
    const Decoded& vcpu = taken.vcpus[i];
    if (!vcpu.cpu) {
      continue;
    }
    TranslatedMemory memory(pages, translations_of(taken.vcpus, i, kernel));
    if (request.trace && kernel != nullptr) {
      StepContext context{*vcpu.cpu, memory, kernel->code(), kernel->unwind_tables(), request.scan};
      taken.walks[i] = walk_stack(context, request.max_frames);
    }
    if (request.stack_bytes) {
      taken.stacks[i] = dump_stack(memory, *vcpu.cpu, *request.stack_bytes);
    }
  }
  if (!request.memory.empty()) {
    TranslatedMemory memory(pages, translations_of(taken.vcpus, 0, kernel));
    for (const auto& [from, bytes] : request.memory) {
      taken.memory.push_back(dump_memory(memory, from, bytes));
    }
  }
}

bool wanted(const ReportRequest& request, unsigned id) {
  return request.vcpus.empty() || std::find(request.vcpus.begin(), request.vcpus.end(), id) != request.vcpus.end();
}

void drop_unwanted(std::vector<VcpuContext>& contexts, const ReportRequest& request) {
  std::erase_if(contexts, [&](const VcpuContext& vcpu) { return !wanted(request, vcpu.id); });
}

bool runs(const Guest& guest) {
  const auto& state = guest.identity().state;
  return guest.identity().source == "live" && state &&
         (state->run == RunState::running || state->run == RunState::blocked);
}

/// Names the words that are addresses of code, when that was asked for.
void name_dumps(Report& report, CodeInfo& code, unsigned word_size) {
  for (VcpuReport& vcpu : report.vcpus) {
    if (vcpu.stack) {
      vcpu.stack->names = name_words(vcpu.stack->words, code);
    }
  }
  for (MemoryDump& dump : report.memory) {
    dump.names = name_words(dump.bytes, word_size, code);
  }
}

VcpuReport report_vcpu(const Taken& taken, std::size_t i, Kernel* kernel, const ReportRequest& request) {
  const Decoded& vcpu = taken.vcpus[i];
  VcpuReport report;
  report.id = vcpu.context.id;
  report.presence = vcpu.context.presence;
  report.absent_why = vcpu.why_not;
  report.cpu = vcpu.cpu;
  report.stack = taken.stacks[i];
  if (vcpu.cpu) {
    report.warnings = vcpu.cpu->warnings;
  }
  if (taken.walks[i] && kernel != nullptr) {
    for (const Frame& frame : taken.walks[i]->frames) {
      report.frames.push_back(name_frame(frame, kernel->code()));
    }
    report.end = taken.walks[i]->end;
  } else if (request.trace) {
    report.end = TraceEnd{EndReason::no_registers, vcpu.why_not.value_or(""), {}};
  }
  return report;
}

/// Says what of the answer is missing. A vCPU that never ran is an answer; one whose trace broke off is not a whole
/// one.
void note_missing(Report& report) {
  for (const VcpuReport& vcpu : report.vcpus) {
    if (vcpu.presence == VcpuPresence::never_up) {
      continue;
    }
    if (!vcpu.cpu) {
      report.partial = true;
      report.warnings.push_back(fmt::format("vCPU {}: no registers: {}", vcpu.id, vcpu.absent_why.value_or("unknown")));
    } else if (vcpu.end && vcpu.end->reason != EndReason::user_mode && vcpu.end->reason != EndReason::end_of_stack) {
      report.partial = true;
      report.warnings.push_back(fmt::format("vCPU {}: the trace breaks off: {}{}{}", vcpu.id,
                                            to_string(vcpu.end->reason), vcpu.end->detail.empty() ? "" : ": ",
                                            vcpu.end->detail));
    }
    if (vcpu.stack && vcpu.stack->words.empty()) {
      report.partial = true;
      report.warnings.push_back(fmt::format("vCPU {}: no stack: {}", vcpu.id, vcpu.stack->ended.value_or("empty")));
    }
  }
  for (const MemoryDump& dump : report.memory) {
    if (dump.ended) {
      report.partial = true;
      report.warnings.push_back("memory: " + *dump.ended);
    }
  }
}

void describe_kernel(GuestReport& report, const Kernel& kernel) {
  if (kernel.release()) {
    report.os = "Linux " + *kernel.release();
  }
  report.banner = kernel.banner();
  report.build_id = kernel.build_id();
  report.kaslr_offset = kernel.kaslr_offset();
  report.kernel_start = kernel.kernel_start();
  report.symbols = kernel.symbol_sources();
  if (!kernel.modules().empty()) {
    report.module_count = kernel.modules().size();
  }
}

/// The pages of both caches, ascending. What was read while the guest stood still is the truth about its stacks and
/// wins over what was read before or after.
std::vector<PageCache::Kept> merged_pages(const PageCache& frozen, const PageCache& kept) {
  std::map<GuestPhys, PageCache::Kept> pages;
  for (const PageCache* cache : {&frozen, &kept}) {
    for (const PageCache::Kept& page : cache->pages()) {
      pages.emplace(page.at, page);
    }
  }
  std::vector<PageCache::Kept> all;
  all.reserve(pages.size());
  for (const auto& [at, page] : pages) {
    all.push_back(page);
  }
  return all;
}

/// Everything that one pass over a guest yields: the report, and what a capture of it needs.
struct Session {
  Report report;
  std::vector<VcpuContext> contexts;
  std::unique_ptr<PageCache> kept;    ///< what naming and the kernel's facts read
  std::unique_ptr<PageCache> frozen;  ///< what was read while the guest stood still
  std::map<std::string, std::string> facts;
};

Result<Session> run(Guest& guest, const ReportRequest& request) {
  auto contexts = guest.vcpus();
  if (!contexts) {
    return tl::unexpected(contexts.error());
  }
  for (const unsigned id : request.vcpus) {
    if (std::none_of(contexts->begin(), contexts->end(), [&](const VcpuContext& v) { return v.id == id; })) {
      return fail(Errc::usage, fmt::format("the guest has no vCPU {}", id));
    }
  }
  const auto guess = detect_arch(guest.identity(), *contexts, request.arch);
  if (!guess) {
    return tl::unexpected(guess.error());
  }
  const ArchOps& arch = arch_ops(guess->id);

  Session session;
  session.kept = std::make_unique<PageCache>(guest.memory());
  session.frozen = std::make_unique<PageCache>(guest.memory());

  // Before the pause: everything that does not change after boot.
  const std::vector<Decoded> before = decode_all(guest, arch, std::move(*contexts));
  std::vector<CpuState> cpus;
  for (const Decoded& vcpu : before) {
    if (vcpu.cpu) {
      cpus.push_back(*vcpu.cpu);
    }
  }
  TranslatedMemory kernel_memory(*session.kept, translations_of(before, 0, nullptr));
  TranslatedMemory search_memory(guest.memory(), translations_of(before, 0, nullptr));
  std::unique_ptr<Kernel> kernel;
  if (request.kernel_facts) {
    auto found = Kernel::look_round({.guest = guest,
                                     .arch = arch,
                                     .cpus = cpus,
                                     .memory = kernel_memory,
                                     .search = search_memory,
                                     .symbol_files = request.symbol_files,
                                     .kernel_start = request.kernel_start});
    if (!found) {
      return tl::unexpected(found.error());
    }
    kernel = std::move(*found);
    for (const auto& translation : kernel->kernel_translations()) {
      kernel_memory.add(translation);
      search_memory.add(translation);
    }
  }
  if (runs(guest)) {
    // A rehearsal on the moving guest: its result is thrown away, but the tables and names that the walk in the pause
    // needs are mapped afterwards, so that the guest stands still for its stacks alone.
    PageCache rehearsed(guest.memory());
    Taken rehearsal{.vcpus = before, .walks = {}, .stacks = {}, .memory = {}, .pause_us = {}};
    take_stacks(rehearsal, request, kernel.get(), rehearsed);
  }

  Taken taken;
  {
    auto pause = guest.pause();
    if (!pause) {
      return tl::unexpected(pause.error());
    }
    auto now = guest.vcpus();
    if (!now) {
      return tl::unexpected(now.error());
    }
    session.contexts = *now;
    drop_unwanted(*now, request);
    taken.vcpus = decode_all(guest, arch, std::move(*now));
    take_stacks(taken, request, kernel.get(), *session.frozen);
    taken.pause_us = (*pause)->release();
  }

  Report& report = session.report;
  report.guest.identity = guest.identity();
  report.guest.arch = arch.id;
  report.guest.arch_why = guess->why;
  if (kernel) {
    describe_kernel(report.guest, *kernel);
  }
  for (std::size_t i = 0; i < taken.vcpus.size(); ++i) {
    report.vcpus.push_back(report_vcpu(taken, i, kernel.get(), request));
  }
  report.memory = std::move(taken.memory);
  report.warnings = guest.warnings();
  if (kernel) {
    report.warnings.insert(report.warnings.end(), kernel->warnings().begin(), kernel->warnings().end());
    if (request.name_words) {
      name_dumps(report, kernel->code(), arch.word_size);
    }
    session.facts = kernel->facts();  // last: they hold what was asked on the way
  }
  note_missing(report);
  report.capture = {.pause_us = taken.pause_us, .pages = guest.pages_mapped(), .walk_pages = session.frozen->size()};
  return session;
}

}  // namespace

Result<Report> make_report(Guest& guest, const ReportRequest& request) {
  auto session = run(guest, request);
  return session ? Result<Report>(std::move(session->report)) : tl::unexpected(session.error());
}

Result<Report> write_capture(Guest& guest, const ReportRequest& request, const std::string& path) {
  auto session = run(guest, request);
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto written = write_capture_file(path, guest.identity(), session->contexts,
                                        merged_pages(*session->frozen, *session->kept), session->facts);
      !written) {
    return tl::unexpected(written.error());
  }
  return std::move(session->report);
}

}  // namespace xstack
