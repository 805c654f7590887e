// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "arch/translated_memory.h"
#include "base/error.h"
#include "guest/guest.h"
#include "guest/page_cache.h"
#include "linux/kernel.h"
#include "linux/source_lines.h"
#include "linux/table_search.h"
#include "tools/report.h"

namespace xstack {

/// One vCPU as far as it could be decoded.
struct DecodedVcpu {
  VcpuContext context;
  std::optional<CpuState> cpu;
  std::optional<std::string> why_not;  ///< for one without `cpu`: one line
};

/// What a user may say of the kernel and where it is.
struct KernelRequest {
  std::vector<std::string> symbol_files;       ///< -s
  std::optional<std::uint64_t> kernel_start;   ///< -k
  std::optional<ArchId> arch;                  ///< --arch
  LineSources lines;                           ///< --debug-dir, --debuginfod, --force
  std::optional<KernelDefault> fallback = {};  ///< --board
};

/// A guest, its architecture, its vCPUs, its kernel's memory and what the kernel says of itself: what every command
/// starts from. Works on a running guest as well: all of it stays as it is after boot, but for the vCPUs' registers,
/// which are as of the moment of open() (Guest::vcpus() and decode() give newer ones).
class KernelSession {
 public:
  /// Takes and decodes the vCPUs and tells the architecture. `guest` must outlive the session.
  [[nodiscard]] static Result<std::unique_ptr<KernelSession>> open(Guest& guest, const KernelRequest& request);

  /// Finds the kernel; kernel() is null until then.
  [[nodiscard]] Result<void> look_round();

  [[nodiscard]] Guest& guest() { return guest_; }
  [[nodiscard]] const ArchOps& arch() const { return *arch_; }
  [[nodiscard]] const std::vector<DecodedVcpu>& vcpus() const { return vcpus_; }
  [[nodiscard]] Kernel* kernel() { return kernel_.get(); }
  /// Source lines for the kernel's addresses; null without a kernel.
  [[nodiscard]] SourceLines* lines() { return lines_.get(); }

  /// The kernel's page tables, when they had to be looked for since no vCPU has registers that say where they are.
  [[nodiscard]] const std::optional<FoundTables>& tables() const { return tables_; }

  /// The kernel's memory. What is read through it is kept, and goes into a capture: for look-ups.
  [[nodiscard]] VirtMemory& memory() { return *memory_; }
  [[nodiscard]] const PageCache& kept() const { return kept_; }
  /// The same addresses, keeping nothing: for searches and for reading much.
  [[nodiscard]] VirtMemory& search() { return *search_; }

  /// Contexts, taken at any time, decoded as far as they can be.
  [[nodiscard]] std::vector<DecodedVcpu> decode(std::vector<VcpuContext> contexts) const;

  /// The translations of all of `vcpus`, those of `first` before the others', with the kernel's own (once it was
  /// found) between: a process's tables may lack what another's, or the kernel's, have.
  [[nodiscard]] std::vector<std::shared_ptr<const Translation>> translations(std::span<const DecodedVcpu> vcpus,
                                                                             std::size_t first) const;

  /// What there is to say of the guest: its identity, its architecture and what the kernel says of itself.
  [[nodiscard]] GuestReport describe() const;

 private:
  KernelSession(Guest& guest, KernelRequest request)
      : guest_(guest), request_(std::move(request)), kept_(guest.memory()) {}

  /// Tells the architecture, decodes the vCPUs and finds their tables.
  Result<void> take(std::vector<VcpuContext> contexts);
  void use_contexts(const std::vector<VcpuContext>& contexts);

  Guest& guest_;
  KernelRequest request_;
  const ArchOps* arch_ = nullptr;
  std::string arch_why_;
  std::vector<DecodedVcpu> vcpus_;
  std::vector<CpuState> cpus_;
  std::optional<FoundTables> tables_;
  std::string no_tables_;  ///< why there are none, when there should be
  PageCache kept_;
  std::unique_ptr<TranslatedMemory> memory_;
  std::unique_ptr<TranslatedMemory> search_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<SourceLines> lines_;
};

/// Does this guest go on while it is read?
[[nodiscard]] bool runs(const Guest& guest);

}  // namespace xstack
