// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/guest.h"
#include "linux/page_kinds.h"
#include "vmcore/kernel_map.h"

namespace xstack {

/// Which of a guest's pages go into a dump.
enum class KeepPages : std::uint8_t {
  all,
  kernel_only,  ///< not those that are known to be free, a process's or a file's
  redacted,     ///< those alone that are known to be the kernel's own
};

/// Memory physically as a dump numbers it, and as the guest's tables do: the same pages in the same order. They are two
/// for x86 PV alone.
struct NumberedFrames {
  std::vector<FrameRange> numbered;
  std::vector<FrameRange> frames;
};

/// How many Xen pages of each kind there were, and how many of them are kept.
struct PageCounts {
  std::array<std::uint64_t, kPageKinds> all{};
  std::array<std::uint64_t, kPageKinds> kept{};
};
/// "3 MiB free, 10 MiB of processes": what is left out, for people; empty when that is nothing.
[[nodiscard]] std::string describe_left_out(const PageCounts& counts);

struct PageFilter {
  KeepPages keep = KeepPages::kernel_only;
  const KernelMap* map = nullptr;                 ///< in the dump's numbers
  const std::set<std::uint64_t>* own = nullptr;   ///< frames, as the guest's tables have them, of tables and of stacks
  std::optional<std::uint64_t> first_unnumbered;  ///< frames of the dump from here on have no descriptor
};

/// Leaves out of `memory` what the filter does not keep.
[[nodiscard]] PageCounts filter_pages(PageDescriptors& descriptors, const PageFilter& filter, NumberedFrames& memory);

/// Do the descriptors say of the kernel's own code, `bytes` from `text` on, that it is reserved memory, as it is? Says
/// why not, when they do not: then they are not where they are thought to be.
[[nodiscard]] Result<void> check_descriptors(PageDescriptors& descriptors, const KernelMap& map, GuestVirt text,
                                             std::uint64_t bytes);

}  // namespace xstack
