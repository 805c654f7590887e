// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/linux_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "linux/arm32_unwind_tables.h"
#include "linux/build_id_check.h"
#include "linux/build_id_note.h"
#include "linux/code_data.h"
#include "linux/file_slide.h"
#include "linux/kaslr.h"
#include "linux/kernel_facts.h"
#include "linux/kernel_image.h"
#include "linux/kernel_root.h"
#include "linux/mapped_scan.h"
#include "linux/module_list.h"
#include "linux/physical_kernel.h"
#include "linux/searching_code.h"
#include "linux/text_anchors.h"
#include "linux/vmcoreinfo.h"
#include "linux/vmcoreinfo_pointer.h"
#include "linux/x86_orc_tables.h"
#include "symbols/symbol_file.h"

namespace xstack {
namespace {

constexpr std::size_t kCodeLookedAt = 512;                                        // of a function that uses a variable
constexpr std::uint64_t kMaxData = 64U << 20;                                     // of the image, behind the code
constexpr std::uint64_t kMaxLivePages = (std::uint64_t{1} << 30) / kXenPageSize;  // searched of a live domain

}  // namespace

LinuxKernel::LinuxKernel(const KernelInputs& inputs)
    : guest_(inputs.guest),
      arch_(inputs.arch),
      cpus_(inputs.cpus.begin(), inputs.cpus.end()),
      memory_(inputs.memory, inputs.guest.memory()),
      search_(inputs.search, inputs.guest.memory()) {
  if (inputs.tables != nullptr) {
    translations_.push_back(inputs.tables->translation());
  }
  if (const auto text = inputs.guest.vmcoreinfo()) {
    vmcoreinfo_ = Vmcoreinfo::parse(*text);
  }
}

void LinuxKernel::use_root(const KernelInputs& inputs, GuestPhys root) {
  if (inputs.cpus.empty() || inputs.arch.translation_with_root == nullptr) {
    return;
  }
  if (auto translation = inputs.arch.translation_with_root(inputs.cpus.front(), root)) {
    found_.kernel_root = root;
    memory_.add(translation);
    search_.add(translation);
    translations_.push_back(std::move(translation));
  }
}

void LinuxKernel::use_kallsyms() {
  if (!found_.kallsyms) {
    return;
  }
  auto source = std::make_unique<Kallsyms>(memory_, search_, *found_.kallsyms, found_.samples, found_.names);
  kallsyms_ = source.get();
  code_.sources.push_back(std::move(source));
}

void LinuxKernel::find_kallsyms(const KernelInputs& inputs) {
  PageProbe probe(inputs.guest.memory(), inputs.cpus, translations_);
  auto anchors = find_text_anchors(inputs.guest, arch_, inputs.cpus, search_, probe);
  if (inputs.tables != nullptr && inputs.tables->text) {
    anchors.push_back({*inputs.tables->text, *inputs.tables->text, 1});
  }
  find_kallsyms_from(inputs, anchors);
}

void LinuxKernel::find_kallsyms_from(const KernelInputs& inputs, std::span<const AnchorCluster> anchors) {
  PageProbe probe(inputs.guest.memory(), inputs.cpus, translations_);
  FoundImage image = search_image(probe, search_, anchors, arch_.word_size);
  found_.kallsyms = image.kallsyms;
  if (image.banner) {
    found_.banner = std::move(image.banner);
  }
}

/// No vCPU's tables show the kernel, as when all are in user mode under page table isolation.
void LinuxKernel::find_kernel_elsewhere(const KernelInputs& inputs) {
  if (const auto root = find_root_beside(inputs.guest.memory(), arch_, inputs.cpus)) {
    use_root(inputs, *root);
    find_kallsyms(inputs);
    if (found_.kallsyms) {
      return;
    }
  }
  const bool live = inputs.guest.identity().source == "live";
  searched_vmcoreinfo_ = true;
  if (!vmcoreinfo_) {
    vmcoreinfo_ = find_vmcoreinfo(inputs.guest, live ? std::optional(kMaxLivePages) : std::nullopt);
  }
  const auto text = vmcoreinfo_ ? vmcoreinfo_->symbol("_stext") : std::nullopt;
  if (!text) {
    warn(vmcoreinfo_ ? "VMCOREINFO was found but does not say where the kernel is"
                     : "no vCPU's page tables show the kernel, and no VMCOREINFO that says where it is was found");
    return;
  }
  const AnchorCluster anchor{*text, *text, 1};
  find_kallsyms_from(inputs, std::span(&anchor, 1));
  if (found_.kallsyms) {
    return;
  }
  const auto root = find_root_by_vmcoreinfo(inputs.guest, arch_, inputs.cpus, *vmcoreinfo_);
  if (!root) {
    warn("VMCOREINFO was found, but the kernel's own page tables are not where it says");
    return;
  }
  use_root(inputs, *root);
  find_kallsyms_from(inputs, std::span(&anchor, 1));
}

void LinuxKernel::search(const KernelInputs& inputs) {
  if (!inputs.no_tables.empty()) {
    warn(inputs.no_tables);
    read_symbol_files(inputs);
    finish(inputs);
    return;
  }
  physical_ = !cpus_.empty() && std::all_of(cpus_.begin(), cpus_.end(), [&](const CpuState& cpu) {
    return runs_at_physical(cpu, guest_.memory());
  });
  const bool translated = !physical_;
  if (physical_) {
    find_kernel_in_physical(inputs);
    if (!found_.kallsyms) {
      warn(
          "no kernel was found: every vCPU runs at physical addresses, and physical memory has no unpacked kernel with "
          "kallsyms");
    }
  } else {
    find_kallsyms(inputs);
    if (!found_.kallsyms && !inputs.cpus.empty()) {
      find_kernel_elsewhere(inputs);
    }
  }
  use_kallsyms();
  if (kallsyms_ == nullptr && translated) {
    warn("no kallsyms tables were found in the guest's memory");
  }
  if (kallsyms_ != nullptr) {
    find_text();
    find_physical_offset();
  }
  if (physical_ && kallsyms_ != nullptr && !found_.text.empty() && !found_.physical_begin) {
    found_.physical_begin = GuestPhys(kallsyms_->address_of("_text").value_or(found_.text.front().begin).value);
  }
  find_identity(inputs);
  find_modules(inputs);
  use_modules();
  read_symbol_files(inputs);
  finish(inputs);
  find_unwind_tables();
}

/// head.S, where a CPU comes from, lies before what kallsyms takes for text, and its names are only there with
/// CONFIG_KALLSYMS_ALL.
bool LinuxKernel::runs_head() const {
  return physical_ || std::any_of(cpus_.begin(), cpus_.end(), [](const CpuState& cpu) { return !cpu.mmu_on; });
}

void LinuxKernel::find_text() {
  const auto add = [&](std::string_view begin, std::string_view end) {
    const auto from = kallsyms_->address_of(begin);
    const auto to = kallsyms_->address_of(end);
    if (from && to && *from < *to) {
      found_.text.push_back({*from, *to});
    }
  };
  add("_stext", "_etext");
  add("_sinittext", "_einittext");
  if (!found_.text.empty()) {
    if (runs_head()) {
      add("_text", "_stext");
    }
    return;
  }
  if (const auto range = kallsyms_->range()) {
    found_.text.push_back({range->first, range->second});
    warn("kallsyms has no _stext and _etext: all that it covers is taken for code");
  }
}

std::optional<CodeSymbol> LinuxKernel::symbol_at(GuestVirt address) {
  // A table names whatever is above its first symbol, and per-CPU symbols have offsets for addresses: what lies outside
  // of the image is not theirs.
  const auto range = kallsyms_ != nullptr ? kallsyms_->range() : std::nullopt;
  const bool in_image = range && address >= range->first && address <= range->second;
  return in_image ? code_.symbol_at(address) : code_.function_at(address);
}

std::optional<GuestVirt> LinuxKernel::data_begin() const {
  if (!found_.kallsyms || found_.text.empty()) {
    return std::nullopt;
  }
  return std::max(found_.kallsyms->token_index, found_.text.front().end);
}

std::vector<GuestVirt> LinuxKernel::data_used_by(std::span<const std::string_view> functions,
                                                 std::optional<GuestVirt> begin) {
  std::vector<GuestVirt> all;
  const auto data = begin ? begin : data_begin();
  for (const std::string_view function : functions) {
    const auto at = kallsyms_->address_of(function);
    if (!at || !data) {
      continue;
    }
    std::vector<std::byte> code(kCodeLookedAt);
    read_tolerant(search_, *at, code);
    for (const GuestVirt page : pages_named_by_code(arch_.id, {*at, code}, *data, *data + kMaxData)) {
      if (std::find(all.begin(), all.end(), page) == all.end()) {
        all.push_back(page);
      }
    }
  }
  return all;
}

void LinuxKernel::find_identity(const KernelInputs& inputs) {
  std::optional<Vmcoreinfo>& info = vmcoreinfo_;
  if (kallsyms_ != nullptr) {
    if (const auto data = kallsyms_->address_of("vmcoreinfo_data"); data && !info) {
      if (const auto page = search_.read_word(*data, arch_.word_size); page && *page != 0) {
        info = read_vmcoreinfo(search_, GuestVirt(*page));
      }
    }
    if (const auto banner = kallsyms_->address_of("linux_banner"); banner && !found_.banner) {
      std::vector<std::byte> text(512);
      read_tolerant(search_, *banner, text);
      found_.banner = find_banner(text);
    }
    if (!found_.banner) {
      PageProbe probe(inputs.guest.memory(), inputs.cpus, translations_);
      const KallsymsTables& tables = *found_.kallsyms;
      found_.banner = search_banner(probe, search_, found_.text.front().end, std::min(tables.addresses, tables.names));
    }
  }
  if (const auto data = data_begin(); data && !info && kallsyms_ != nullptr) {
    PageProbe probe(inputs.guest.memory(), inputs.cpus, translations_);
    // kernel/crash_core.c, later kernel/vmcore_info.c.
    static constexpr std::array<std::string_view, 2> kUsers = {"vmcoreinfo_append_str", "crash_save_vmcoreinfo"};
    info = find_vmcoreinfo_by_pointer(probe, search_,
                                      {found_.text.front().begin, *data, arch_.word_size, data_used_by(kUsers)});
  }
  if (!info && !searched_vmcoreinfo_ && !physical_ && inputs.guest.identity().source != "live") {
    info = find_vmcoreinfo(inputs.guest);
  }
  if (info) {
    found_.release = info->release();
    found_.build_id = info->build_id();
    found_.kaslr_offset = info->kernel_offset();
  }
  if (!found_.build_id && kallsyms_ != nullptr) {
    const auto begin = kallsyms_->address_of("__start_notes");
    const auto end = kallsyms_->address_of("__stop_notes");
    found_.build_id = begin && end ? read_build_id_note(search_, *begin, *end) : std::nullopt;
  }
  if (!found_.release && found_.banner) {
    found_.release = release_of_banner(*found_.banner);
  }
  if (!found_.kaslr_offset && kallsyms_ != nullptr && !physical_) {
    const auto text = kallsyms_->address_of("_text");
    const auto stext = kallsyms_->address_of("_stext");
    found_.kaslr_offset = text || stext ? derive_kaslr_offset(arch_.id, text ? *text : *stext) : std::nullopt;
    found_.kaslr_derived = found_.kaslr_offset && arch_.id != ArchId::arm32;
    warn_of_derived_offset();
  }
}

void LinuxKernel::find_modules(const KernelInputs& inputs) {
  if (kallsyms_ == nullptr || physical_) {  // that early there are none
    return;
  }
  auto head = kallsyms_->address_of("modules");
  const auto range = kallsyms_->range();
  if (const auto data = data_begin(); data && !head && range) {
    PageProbe probe(inputs.guest.memory(), inputs.cpus, translations_);
    // kernel/module.c, later kernel/module/main.c and kallsyms.c.
    static constexpr std::array<std::string_view, 3> kUsers = {"find_module_all", "module_address_lookup",
                                                               "print_modules"};
    head = find_module_head(probe, search_, {arch_, range->first, *data, data_used_by(kUsers)});
  }
  if (!head) {
    return;
  }
  ModuleListing listing = read_module_list(search_, *head, arch_.word_size);
  found_.modules = std::move(listing.modules);
  if (listing.problem) {
    warn(std::move(*listing.problem));
  }
}

void LinuxKernel::use_modules() {
  for (const FoundModule& found : found_.modules) {
    modules_.push_back(found.module);
  }
  module_symbols_ =
      std::make_unique<ModuleSymbols>(memory_, found_.modules, arch_.word_size, arch_.id == ArchId::arm32);
  code_.modules = module_symbols_.get();
}

/// Holds an ELF image against the guest by the build-ids of both.
bool LinuxKernel::is_this_kernels(const std::string& path, const std::optional<std::string>& build_id, bool force) {
  const BuildIdCheck check = check_build_id(build_id, found_.build_id, force);
  if (check.remark) {
    warnings_.push_back(fmt::format("symbols: {}: {}", path, *check.remark));
  }
  return check.usable;
}

void LinuxKernel::read_symbol_files(const KernelInputs& inputs) {
  std::size_t position = 0;
  for (const std::string& path : inputs.symbol_files) {
    auto file = read_symbol_file(path, arch_.id);
    if (!file) {
      if (file.error().code == Errc::not_found) {
        elf_files_.push_back(path);  // no symbols, but perhaps the way to a file with DWARF
      }
      warnings_.push_back("symbols: " + file.error().message);
      continue;
    }
    if (file->relocatable) {
      elf_files_.push_back(path);
      continue;
    }
    const bool elf = file->kind == "vmlinux";
    if (elf && !is_this_kernels(path, file->build_id, inputs.force)) {
      continue;
    }
    FileSlide slide = settle_slide(file->table, kallsyms_, found_.kaslr_offset, inputs.force);
    if (kallsyms_ == nullptr && physical_ && slide.offset == 0U) {
      slide.offset = place_file(file->table).value_or(0);
    }
    if (slide.problem) {
      warnings_.push_back(fmt::format("symbols: {}: {}", path, *slide.problem));
    }
    if (!slide.offset) {
      continue;
    }
    if (elf) {
      elf_files_.push_back(path);
    }
    auto source = std::make_unique<FileSymbols>(std::move(file->table), file->kind + ":" + path, *slide.offset);
    const auto add = [&](std::string_view begin, std::string_view end) {
      const auto from = source->address_of(begin);
      const auto to = source->address_of(end);
      if (from && to && *from < *to) {
        found_.text.push_back({*from, *to});
      }
    };
    if (found_.text.empty()) {
      add("_stext", "_etext");
    }
    if (runs_head()) {
      add("_text", "_stext");
    }
    code_.sources.insert(code_.sources.begin() + static_cast<std::ptrdiff_t>(position++), std::move(source));
  }
}

void LinuxKernel::find_unwind_tables() {
  const auto range = kallsyms_ != nullptr ? kallsyms_->range() : std::nullopt;
  if (!range) {
    return;
  }
  const GuestVirt end = std::max({range->second, found_.kallsyms->token_index, found_.kallsyms->addresses});
  UnwindTables& unwind = found_.unwind;
  SearchingCode code(code_, search_, *found_.kallsyms);
  if (arch_.id == ArchId::arm32) {
    unwind.ehabi = find_kernel_ehabi(search_, range->first, end, code);
    if (unwind.ehabi.empty()) {
      return;  // a kernel with frame pointers has modules with frame pointers
    }
    for (const KernelModule& module : modules_) {
      auto tables = find_module_ehabi(search_, module);
      std::move(tables.begin(), tables.end(), std::back_inserter(unwind.ehabi));
    }
  } else if (arch_.id == ArchId::x86_64) {
    FoundOrc orc = find_kernel_orc(search_, range->first, end, code);
    unwind.orc = std::move(orc.tables);
    unwind.orc_layout = orc.layout;
    if (!orc.why_not.empty()) {
      warn(std::move(orc.why_not));
    }
    if (unwind.orc.empty()) {
      return;
    }
    for (const KernelModule& module : modules_) {
      if (auto table = find_module_orc(search_, module, range->first)) {
        unwind.orc.push_back(std::move(*table));
      }
    }
  }
}

/// What a board says of the kernel's start: taken when nothing else is known, held against what is.
void LinuxKernel::fall_back(const KernelDefault& board, const KernelInputs& inputs) {
  constexpr std::uint64_t kSplit = 0x10000000;  // every VMSPLIT of arm32 is a multiple of it
  if (board.arch != inputs.arch.id) {
    warnings_.push_back(fmt::format("the board {} is {}, the guest is {}: its defaults are not used", board.board,
                                    to_string(board.arch), to_string(inputs.arch.id)));
  } else if (!kernel_start_) {
    kernel_start_ = GuestVirt(board.start);
    warnings_.push_back(
        fmt::format("the kernel's start is not in the guest's memory: {:#x} is a guess, the default of the board {}",
                    board.start, board.board));
  } else if (board.arch == ArchId::arm32 && kernel_start_->value / kSplit != board.start / kSplit) {
    warnings_.push_back(fmt::format("the kernel's start is {:#x} {}; {:#x}, the board {}'s default, is not used",
                                    kernel_start_->value, inputs.kernel_start ? "as -k says" : "in the guest's memory",
                                    board.start, board.board));
  }
}

void LinuxKernel::finish(const KernelInputs& inputs) {
  code_.text = found_.text;
  code_.physical_offset = found_.physical_offset;
  for (const auto& source : code_.sources) {
    sources_.push_back(source->describe());
  }
  kernel_start_ = inputs.kernel_start ? std::optional(GuestVirt(*inputs.kernel_start)) : std::nullopt;
  if (!kernel_start_ && !found_.text.empty()) {
    kernel_start_ = found_.text.front().begin;
  }
  if (inputs.fallback) {
    fall_back(*inputs.fallback, inputs);
  }
}

void LinuxKernel::replay(const KernelInputs& inputs, KernelFindings findings) {
  found_ = std::move(findings);
  physical_ = found_.physical_begin.has_value() ||
              (!cpus_.empty() && std::all_of(cpus_.begin(), cpus_.end(), [&](const CpuState& cpu) {
                return runs_at_physical(cpu, guest_.memory());
              }));
  warnings_ = found_.warnings;
  looked_for_tasks_ = true;
  looked_for_taints_ = true;
  if (!found_.tasks) {
    no_task_layout_ = "the capture does not say where they are";
  }
  if (found_.kernel_root) {
    use_root(inputs, *found_.kernel_root);
  }
  use_kallsyms();
  use_modules();
  read_symbol_files(inputs);
  finish(inputs);
}

void LinuxKernel::warn_of_derived_offset() {
  if (found_.kaslr_derived) {
    warn("the KASLR offset is derived from where the kernel lies: the guest does not say it");
  }
}

std::map<std::string, std::string> LinuxKernel::facts() const {
  KernelFindings all = found_;
  if (kallsyms_ != nullptr) {
    all.samples = kallsyms_->samples();
    all.names = kallsyms_->asked();
  }
  return write_facts(all);
}

}  // namespace xstack
