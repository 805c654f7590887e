// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_log.h"

#include <utility>
#include <vector>

#include "linux/log_facts.h"
#include "linux/mapped_scan.h"
#include "linux/printk_log.h"

namespace xstack {

Result<KernelLog> read_session_log(KernelSession& session, const LogLimits& limits) {
  Guest& guest = session.guest();
  if (auto log = read_log_facts(guest.facts())) {
    return std::move(*log);
  }
  if (guest.identity().source == "capture") {
    return fail(Errc::not_found, "the capture does not hold the kernel's log: it was written without it");
  }
  Kernel* kernel = session.kernel();
  if (kernel == nullptr) {
    return fail(Errc::not_found, "the kernel was not found, and so its log was not");
  }
  std::vector<CpuState> cpus;
  for (const DecodedVcpu& vcpu : session.vcpus()) {
    if (vcpu.cpu) {
      cpus.push_back(*vcpu.cpu);
    }
  }
  PageProbe probe(guest.memory(), cpus, kernel->kernel_translations());
  const auto& info = kernel->vmcoreinfo();
  return read_kernel_log({.memory = session.search(),
                          .probe = probe,
                          .word_size = session.arch().word_size,
                          .symbol = [&](std::string_view name) { return kernel->code().address_of(name); },
                          .info = info ? &*info : nullptr,
                          .data_begin = kernel->data_begin()},
                         limits);
}

Result<KernelLog> read_log(Guest& guest, const KernelRequest& request) {
  auto session = KernelSession::open(guest, request);
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto looked = (*session)->look_round(); !looked) {
    return tl::unexpected(looked.error());
  }
  return read_session_log(**session);
}

}  // namespace xstack
