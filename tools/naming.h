// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/code.h"
#include "arch/frame.h"
#include "tools/report.h"

namespace xstack {

/// Gives a frame its name: looked up at the call (return address minus one), printed at the address itself, so that a
/// return after a noreturn call at a function's end is the function's own, one byte past its last.
[[nodiscard]] NamedFrame name_frame(const Frame& frame, CodeInfo& code);

}  // namespace xstack
