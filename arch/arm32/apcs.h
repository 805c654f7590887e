// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "arch/arch.h"

namespace xstack::arm32 {

/// The caller's registers by the frame record at r11 (CONFIG_FRAME_POINTER). GCC's APCS records hold pc, lr, sp and fp
/// downward from [r11]; clang's hold fp and lr upward. The two are told apart by which words are code. A GCC record
/// names its function; it is used only when that is the callee's own. Nothing when there is no such record.
[[nodiscard]] std::optional<RegisterFile> caller_by_frame_record(StepContext& context, const Frame& callee);

}  // namespace xstack::arm32
