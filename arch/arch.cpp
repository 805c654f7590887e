// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arch.h"

#include <algorithm>

#include "arch/arm32/arm32.h"
#include "arch/arm64/arm64.h"
#include "arch/x86/x86.h"

namespace xstack {

const char* to_string(ArchId id) {
  switch (id) {
    case ArchId::arm32:
      return "arm32";
    case ArchId::arm64:
      return "arm64";
    case ArchId::x86_32:
      return "x86_32";
    case ArchId::x86_64:
      return "x86_64";
  }
  return "?";
}

const ArchOps& arch_ops(ArchId id) {
  switch (id) {
    case ArchId::arm32:
      return arm32_ops();
    case ArchId::arm64:
      return arm64_ops();
    case ArchId::x86_32:
      return x86_32_ops();
    case ArchId::x86_64:
      break;
  }
  return x86_64_ops();
}

const char* to_string(FoundBy found_by) {
  switch (found_by) {
    case FoundBy::registers:
      return "registers";
    case FoundBy::ehabi:
      return "ehabi";
    case FoundBy::orc:
      return "orc";
    case FoundBy::frame:
      return "frame";
    case FoundBy::dwarf:
      return "dwarf";
    case FoundBy::link_register:
      return "link-register";
    case FoundBy::exception:
      return "exception";
    case FoundBy::scan:
      return "scan";
    case FoundBy::inlined:
      return "inline";
  }
  return "?";
}

const char* to_string(EndReason reason) {
  switch (reason) {
    case EndReason::user_mode:
      return "user mode";
    case EndReason::end_of_stack:
      return "end of stack";
    case EndReason::no_unwind_info:
      return "no unwind information";
    case EndReason::bad_unwind_info:
      return "bad unwind information";
    case EndReason::unreadable:
      return "stack unreadable";
    case EndReason::no_progress:
      return "no progress";
    case EndReason::too_many_frames:
      return "too many frames";
    case EndReason::not_code:
      return "return address is not code";
    case EndReason::no_registers:
      return "no registers";
  }
  return "?";
}

}  // namespace xstack
