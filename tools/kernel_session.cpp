// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/kernel_session.h"

#include <algorithm>
#include <utility>

#include "linux/physical_kernel.h"

namespace xstack {
namespace {

std::string absent_reason(const VcpuContext& vcpu) {
  switch (vcpu.presence) {
    case VcpuPresence::never_up:
      return "Xen has no registers for it";
    case VcpuPresence::unavailable:
      return vcpu.why.empty() ? "Xen would not give its registers" : vcpu.why;
    case VcpuPresence::online:
    case VcpuPresence::offline:
      break;
  }
  return "the input holds no registers for it";
}

}  // namespace

Result<std::unique_ptr<KernelSession>> KernelSession::open(Guest& guest, const KernelRequest& request) {
  auto contexts = guest.vcpus();
  if (!contexts) {
    return tl::unexpected(contexts.error());
  }
  std::unique_ptr<KernelSession> session(new KernelSession(guest, request));
  if (auto ok = session->take(std::move(*contexts)); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto translations = session->translations(session->vcpus_, 0);
  session->memory_ = std::make_unique<TranslatedMemory>(session->kept_, translations);
  session->search_ = std::make_unique<TranslatedMemory>(guest.memory(), translations);
  return session;
}

void KernelSession::use_contexts(const std::vector<VcpuContext>& contexts) {
  vcpus_ = decode(contexts);
  cpus_.clear();
  for (const DecodedVcpu& vcpu : vcpus_) {
    if (vcpu.cpu) {
      cpus_.push_back(*vcpu.cpu);
    }
  }
}

Result<void> KernelSession::take(std::vector<VcpuContext> contexts) {
  const GuestIdentity& identity = guest_.identity();
  // Frame numbers in a PV guest's tables are Xen's, so that nothing about them can be told from the kernel's own word;
  // but for a saved one's, which are its own.
  const bool numbered = identity.type != GuestType::pv || identity.source == "xl save";
  const bool may_search = identity.source != "live" && numbered && guest_.facts().empty();
  tables_ = tables_of_facts(guest_.facts());
  auto guess = detect_arch(identity, contexts, request_.arch);
  if (!guess && guess.error().code == Errc::not_found && contexts.empty()) {
    if (!tables_ && may_search) {
      auto found = find_tables(guest_, std::nullopt, {});
      if (!found) {
        return fail(found.error().code, guess.error().message + "; " + found.error().message);
      }
      tables_ = std::move(*found);
    }
    if (tables_) {
      guess = ArchGuess{tables_->arch, "its page tables are of that kind"};
    }
  }
  if (!guess) {
    return tl::unexpected(guess.error());
  }
  arch_ = &arch_ops(guess->id);
  arch_why_ = std::move(guess->why);
  if (tables_ && tables_->arch != arch_->id) {
    tables_.reset();
  }
  use_contexts(contexts);
  const bool some =
      std::any_of(cpus_.begin(), cpus_.end(), [](const CpuState& cpu) { return !cpu.translations.empty(); });
  if (some || tables_ || !may_search) {
    return {};
  }
  if (auto found = find_tables(guest_, arch_->id, cpus_)) {
    tables_ = std::move(*found);
    use_contexts(contexts);
  } else {
    no_tables_ = found.error().message;
  }
  return {};
}

Result<void> KernelSession::look_round() {
  auto found = Kernel::look_round({.guest = guest_,
                                   .arch = *arch_,
                                   .cpus = cpus_,
                                   .tables = tables_ ? &*tables_ : nullptr,
                                   .no_tables = no_tables_,
                                   .memory = *memory_,
                                   .search = *search_,
                                   .symbol_files = request_.symbol_files,
                                   .kernel_start = request_.kernel_start,
                                   .force = request_.lines.force,
                                   .fallback = request_.fallback});
  if (!found) {
    return tl::unexpected(found.error());
  }
  kernel_ = std::move(*found);
  lines_ = std::make_unique<SourceLines>(*kernel_, arch_->id, request_.lines);
  for (const auto& translation : kernel_->kernel_translations()) {
    memory_->add(translation);
    search_->add(translation);
  }
  return {};
}

std::vector<DecodedVcpu> KernelSession::decode(std::vector<VcpuContext> contexts) const {
  std::vector<DecodedVcpu> all;
  for (VcpuContext& context : contexts) {
    DecodedVcpu one;
    if (context.context.empty()) {
      one.why_not = absent_reason(context);
    } else if (auto cpu = arch_->decode(guest_.identity(), context)) {
      one.cpu = std::move(*cpu);
      if (tables_ && one.cpu->translations.empty()) {
        one.cpu->table_form = tables_->form;
        one.cpu->translations.push_back(tables_->translation());
      }
    } else {
      one.why_not = cpu.error().message;
    }
    one.context = std::move(context);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<std::shared_ptr<const Translation>> KernelSession::translations(std::span<const DecodedVcpu> vcpus,
                                                                            std::size_t first) const {
  std::vector<std::shared_ptr<const Translation>> all;
  const auto take = [&](const DecodedVcpu& vcpu) {
    if (vcpu.cpu) {
      all.insert(all.end(), vcpu.cpu->translations.begin(), vcpu.cpu->translations.end());
    }
  };
  if (first < vcpus.size()) {
    take(vcpus[first]);
  }
  if (kernel_) {
    const auto& own = kernel_->kernel_translations();
    all.insert(all.end(), own.begin(), own.end());
  } else if (tables_) {
    all.push_back(tables_->translation());
  }
  for (std::size_t i = 0; i < vcpus.size(); ++i) {
    if (i != first) {
      take(vcpus[i]);
    }
  }
  return all;
}

GuestReport KernelSession::describe() const {
  GuestReport report;
  report.identity = guest_.identity();
  report.arch = arch_->id;
  report.arch_why = arch_why_;
  if (!kernel_) {
    return report;
  }
  if (kernel_->release()) {
    report.os = "Linux " + *kernel_->release();
  }
  report.banner = kernel_->banner();
  report.build_id = kernel_->build_id();
  report.kaslr_offset = kernel_->kaslr_offset();
  report.kernel_start = kernel_->kernel_start();
  report.symbols = kernel_->symbol_sources();
  if (const auto place = kernel_->physical_place()) {
    report.image = ImageReport{"kernel", place->begin, place->link, place->how,
                               why_misplaced(arch_->id, place->begin, place->link)};
  }
  if (!kernel_->modules().empty()) {
    report.module_count = kernel_->modules().size();
  }
  return report;
}

bool runs(const Guest& guest) {
  const auto& state = guest.identity().state;
  return guest.identity().source == "live" && state &&
         (state->run == RunState::running || state->run == RunState::blocked);
}

}  // namespace xstack
