// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "arch/arch.h"
#include "arch/frame.h"

namespace xstack {

/// No kernel stack is this deep; a chain that is longer is a lie.
inline constexpr unsigned kMaxFrames = 256;

/// A trace before it has names.
struct Walk {
  std::vector<Frame> frames;  ///< innermost first; at least one when the vCPU has registers
  TraceEnd end;
};

/// Follows callers from the vCPU's registers until the architecture says that there is none, a frame repeats, or
/// `max_frames` is reached. The only loop over frames there is, and the only place of the stop rules.
[[nodiscard]] Walk walk_stack(StepContext& context, unsigned max_frames = kMaxFrames);

/// The same from a frame that is not the vCPU's own: a task's that does not run. `context.cpu` then only says how the
/// machine is set up.
[[nodiscard]] Walk walk_stack_from(StepContext& context, Frame first, unsigned max_frames = kMaxFrames);

}  // namespace xstack
