// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/kernel_session.h"

#include <utility>

namespace xstack {
namespace {

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

}  // namespace

Result<std::unique_ptr<KernelSession>> KernelSession::open(Guest& guest, const KernelRequest& request) {
  auto contexts = guest.vcpus();
  if (!contexts) {
    return tl::unexpected(contexts.error());
  }
  auto guess = detect_arch(guest.identity(), *contexts, request.arch);
  if (!guess) {
    return tl::unexpected(guess.error());
  }
  std::unique_ptr<KernelSession> session(new KernelSession(guest, request));
  session->arch_ = &arch_ops(guess->id);
  session->arch_why_ = std::move(guess->why);
  session->vcpus_ = session->decode(std::move(*contexts));
  for (const DecodedVcpu& vcpu : session->vcpus_) {
    if (vcpu.cpu) {
      session->cpus_.push_back(*vcpu.cpu);
    }
  }
  const auto translations = session->translations(session->vcpus_, 0);
  session->memory_ = std::make_unique<TranslatedMemory>(session->kept_, translations);
  session->search_ = std::make_unique<TranslatedMemory>(guest.memory(), translations);
  return session;
}

Result<void> KernelSession::look_round() {
  auto found = Kernel::look_round({.guest = guest_,
                                   .arch = *arch_,
                                   .cpus = cpus_,
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
    report.image = ImageReport{"kernel", place->begin, place->link, place->how};
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
