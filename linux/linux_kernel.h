// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "linux/fallback_memory.h"
#include "linux/kallsyms.h"
#include "linux/kernel.h"
#include "linux/kernel_findings.h"
#include "linux/text_anchors.h"
#include "linux/vmcoreinfo.h"
#include "symbols/symbol_table.h"

namespace xstack {

/// A Kernel over its findings, wherever they come from: a search or a capture's facts.
class LinuxKernel final : public Kernel {
 public:
  explicit LinuxKernel(const KernelInputs& inputs);

  [[nodiscard]] CodeInfo& code() override { return code_; }
  [[nodiscard]] const UnwindTables& unwind_tables() const override { return found_.unwind; }
  [[nodiscard]] const std::optional<std::string>& release() const override { return found_.release; }
  [[nodiscard]] const std::optional<std::string>& banner() const override { return found_.banner; }
  [[nodiscard]] const std::optional<std::string>& build_id() const override { return found_.build_id; }
  [[nodiscard]] std::optional<std::uint64_t> kaslr_offset() const override { return found_.kaslr_offset; }
  [[nodiscard]] std::optional<GuestVirt> kernel_start() const override { return kernel_start_; }
  [[nodiscard]] const std::vector<KernelModule>& modules() const override { return modules_; }
  [[nodiscard]] const std::vector<std::string>& symbol_sources() const override { return sources_; }
  [[nodiscard]] const std::vector<std::string>& elf_files() const override { return elf_files_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const override { return warnings_; }
  [[nodiscard]] const std::vector<std::shared_ptr<const Translation>>& kernel_translations() const override {
    return translations_;
  }
  [[nodiscard]] const std::optional<Vmcoreinfo>& vmcoreinfo() const override { return vmcoreinfo_; }
  [[nodiscard]] std::optional<PhysicalPlace> physical_place() const override;
  [[nodiscard]] std::optional<GuestVirt> data_begin() const override;
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address) override;
  [[nodiscard]] std::optional<std::uint32_t> module_taints() override;
  [[nodiscard]] const TaskLayout* task_layout() override;
  [[nodiscard]] const std::string& no_task_layout() const override { return no_task_layout_; }
  [[nodiscard]] const std::vector<GuestVirt>& known_tasks() const override { return found_.known_tasks; }
  void remember_task(GuestVirt task) override;
  [[nodiscard]] std::map<std::string, std::string> facts() const override;

  /// The decoded kallsyms; null when there are none.
  [[nodiscard]] Kallsyms* kallsyms() const { return kallsyms_; }

  /// Finds everything in the guest's memory.
  void search(const KernelInputs& inputs);
  /// Takes over what a capture says.
  void replay(const KernelInputs& inputs, KernelFindings findings);

 private:
  /// The steps of search(), in order.
  void find_kallsyms(const KernelInputs& inputs);
  void find_kallsyms_from(const KernelInputs& inputs, std::span<const AnchorCluster> anchors);
  void find_kernel_elsewhere(const KernelInputs& inputs);
  void find_kernel_in_physical(const KernelInputs& inputs);
  [[nodiscard]] std::vector<GuestVirt> physical_anchors();
  [[nodiscard]] std::optional<std::uint64_t> place_file(const SymbolTable& table);
  void find_physical_offset();
  [[nodiscard]] bool runs_head() const;
  void find_text();
  void find_identity(const KernelInputs& inputs);
  /// Pages of data that the functions of these names use: from `begin` on, by default data_begin().
  [[nodiscard]] std::vector<GuestVirt> data_used_by(std::span<const std::string_view> functions,
                                                    std::optional<GuestVirt> begin = {});
  void find_modules(const KernelInputs& inputs);
  void find_unwind_tables();
  void find_task_layout();
  [[nodiscard]] std::vector<GuestVirt> likely_task_pages();
  /// The steps that both ways share.
  void use_root(const KernelInputs& inputs, GuestPhys root);
  void use_kallsyms();
  void use_modules();
  void read_symbol_files(const KernelInputs& inputs);
  [[nodiscard]] bool is_this_kernels(const std::string& path, const std::optional<std::string>& build_id, bool force);
  void finish(const KernelInputs& inputs);
  void fall_back(const KernelDefault& board, const KernelInputs& inputs);
  void warn_of_derived_offset();

  /// Of the guest: a capture carries it.
  void warn(std::string text) {
    found_.warnings.push_back(text);
    warnings_.push_back(std::move(text));
  }

  Guest& guest_;
  const ArchOps& arch_;
  std::vector<CpuState> cpus_;
  FallbackMemory memory_;
  FallbackMemory search_;
  KernelFindings found_;
  KernelCode code_;
  Kallsyms* kallsyms_ = nullptr;  ///< owned by code_
  bool physical_ = false;         ///< every vCPU runs at physical addresses
  std::optional<Vmcoreinfo> vmcoreinfo_;
  bool searched_vmcoreinfo_ = false;  ///< in all of memory
  std::unique_ptr<ModuleSymbols> module_symbols_;
  std::vector<KernelModule> modules_;
  std::vector<std::string> sources_;
  std::vector<std::string> elf_files_;
  std::vector<std::string> warnings_;  ///< those of the guest, and of this run's symbol files
  std::vector<std::shared_ptr<const Translation>> translations_;
  std::optional<GuestVirt> kernel_start_;
  bool looked_for_tasks_ = false;
  bool looked_for_taints_ = false;
  std::optional<GuestVirt> btf_;  ///< the header that task_layout() read
  std::string no_task_layout_;
};

}  // namespace xstack
