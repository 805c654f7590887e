// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/source_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "linux/build_id_check.h"
#include "linux/file_slide.h"
#include "symbols/debuginfod.h"

namespace xstack {
namespace {

/// What the kernel knows, as settle_slide() wants it.
class KernelNames final : public SymbolSource {
 public:
  explicit KernelNames(CodeInfo& code) : code_(code) {}
  [[nodiscard]] std::string describe() const override { return {}; }
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address) override { return code_.function_at(address); }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override { return code_.address_of(name); }

 private:
  CodeInfo& code_;
};

bool holds(const KernelModule& module, GuestVirt address) {
  return (address >= module.text_begin && address < module.text_end) ||
         (address >= module.init_text_begin && address < module.init_text_end);
}

}  // namespace

SourceLines::SourceLines(Kernel& kernel, ArchId arch, LineSources sources)
    : kernel_(kernel),
      arch_(arch),
      sources_(std::move(sources)),
      module_files_(sources_.debug_directories, kernel.release()) {
  if (!sources_.ask_server) {
    sources_.ask_server = ask_debuginfod;
  }
}

bool SourceLines::use_kernel_file(const std::string& path, bool given) {
  auto file = open_with_dwarf(path, arch_, sources_.debug_directories);
  if (!file) {
    warnings_.push_back("lines: " + file.error().message);
    return false;
  }
  if ((*file)->relocatable() || !(*file)->has_dwarf()) {
    return false;
  }
  if (!given) {
    const BuildIdCheck check = check_build_id((*file)->build_id(), kernel_.build_id(), sources_.force);
    if (check.remark) {
      warnings_.push_back(fmt::format("lines: {}: {}", path, *check.remark));
    }
    if (!check.usable) {
      return false;
    }
  }
  KernelNames names(kernel_.code());
  const FileSlide slide = settle_slide((*file)->symbols_named(slide_names()), &names, kernel_.kaslr_offset(),
                                       sources_.force || (given && (*file)->build_id() == kernel_.build_id()));
  if (!slide.offset) {
    warnings_.push_back(fmt::format("lines: {}: {}", path, slide.problem.value_or("it is not used")));
    return false;
  }
  kernel_file_ = std::move(*file);
  slide_ = *slide.offset;
  files_.push_back(kernel_file_->path());
  return true;
}

void SourceLines::find_kernel_file() {
  for (const std::string& path : kernel_.elf_files()) {
    if (!module_of_file(path) && use_kernel_file(path, true)) {
      return;
    }
  }
  const KernelFiles found = find_kernel_files(sources_.debug_directories, kernel_.build_id(), kernel_.release());
  if (found.by_build_id && use_kernel_file(*found.by_build_id, false)) {
    return;
  }
  for (const std::string& path : found.by_release) {
    if (use_kernel_file(path, false)) {
      return;
    }
  }
  if (!sources_.debuginfod) {
    return;
  }
  if (!kernel_.build_id()) {
    warnings_.push_back("debuginfod: the guest's build-id is not known, so there is nothing to ask for");
    return;
  }
  if (const auto path = sources_.ask_server(*kernel_.build_id())) {
    (void)use_kernel_file(*path, false);
  } else {
    warnings_.push_back("debuginfod: " + path.error().message);
  }
}

ModuleLines* SourceLines::module_lines(const KernelModule& module) {
  const auto [at, added] = modules_.try_emplace(module.name);
  if (!added) {
    return at->second.get();
  }
  std::vector<std::string> paths;
  for (const std::string& path : kernel_.elf_files()) {
    if (module_of_file(path) == module.name) {
      paths.push_back(path);
    }
  }
  for (std::string& path : module_files_.find(module.name)) {
    paths.push_back(std::move(path));
  }
  for (const std::string& path : paths) {
    auto file = open_with_dwarf(path, arch_, sources_.debug_directories);
    if (!file) {
      warnings_.push_back("lines: " + file.error().message);
    } else if ((*file)->relocatable() && (*file)->has_dwarf()) {
      at->second = std::make_unique<ModuleLines>(std::move(*file), module.name, sources_.force);
      break;
    }
  }
  return at->second.get();
}

std::vector<SourcePlace> SourceLines::places_at(GuestVirt address) {
  const auto& modules = kernel_.modules();
  const auto module =
      std::find_if(modules.begin(), modules.end(), [&](const KernelModule& m) { return holds(m, address); });
  if (module != modules.end()) {
    ModuleLines* lines = module_lines(*module);
    if (lines == nullptr) {
      return {};
    }
    auto places = lines->places_at(address, kernel_.code());
    if (!places.empty() && std::find(files_.begin(), files_.end(), lines->path()) == files_.end()) {
      files_.push_back(lines->path());
    }
    if (auto problem = lines->take_problem()) {
      warnings_.push_back(fmt::format("lines: {}: {}", lines->path(), *problem));
    }
    return places;
  }
  if (kernel_.code().is_code(address) == false) {
    return {};
  }
  if (!std::exchange(searched_, true)) {
    find_kernel_file();
  }
  return kernel_file_ ? kernel_file_->places_at(address.value - slide_) : std::vector<SourcePlace>();
}

}  // namespace xstack
