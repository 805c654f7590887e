// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel.h"

#include <utility>

#include "linux/kernel_facts.h"
#include "linux/linux_kernel.h"

namespace xstack {

Result<std::unique_ptr<Kernel>> Kernel::look_round(const KernelInputs& inputs) {
  auto kernel = std::make_unique<LinuxKernel>(inputs);
  if (auto findings = read_facts(inputs.guest.facts(), inputs.arch.word_size)) {
    kernel->replay(inputs, std::move(*findings));
  } else {
    kernel->search(inputs);
  }
  return kernel;
}

}  // namespace xstack
