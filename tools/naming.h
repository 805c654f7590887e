// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "arch/code.h"
#include "arch/frame.h"
#include "linux/source_lines.h"
#include "tools/report.h"

namespace xstack {

/// Gives a frame its name: looked up at the call (return address minus one), printed at the address itself, so that a
/// return after a noreturn call at a function's end is the function's own, one byte past its last.
[[nodiscard]] NamedFrame name_frame(const Frame& frame, CodeInfo& code);

/// The same with what source lines add (`lines` may be null): the functions that were inlined there, as frames of their
/// own, innermost first, and then the frame itself, each with its file and line.
void append_frames(std::vector<NamedFrame>& frames, const Frame& frame, CodeInfo& code, SourceLines* lines);

}  // namespace xstack
