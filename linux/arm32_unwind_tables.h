// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "arch/code.h"
#include "arch/unwind_tables.h"
#include "base/address.h"
#include "guest/memory.h"
#include "linux/kernel.h"

namespace xstack {

/// The kernel's own ARM EHABI index (.ARM.unwind_idx), which Linux has with CONFIG_ARM_UNWIND. The bounds are taken
/// from the symbols __start_unwind_idx and __stop_unwind_idx when `code` has them and what lies between has the form of
/// an index; otherwise the image, [image_begin, image_end), is searched for a sorted run of entries of that form.
/// `search` is read in pieces and nothing is kept. Empty when there is none: a kernel with frame pointers, or an image
/// that could not be read.
[[nodiscard]] std::vector<EhabiTable> find_kernel_ehabi(VirtMemory& search, GuestVirt image_begin, GuestVirt image_end,
                                                        CodeInfo& code);

/// The indices of one module: for its core text, and for its init text while that exists. They lie in the module's own
/// memory, close to the text, and are found by their form and by the text that they describe.
[[nodiscard]] std::vector<EhabiTable> find_module_ehabi(VirtMemory& search, const KernelModule& module);

}  // namespace xstack
