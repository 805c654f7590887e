// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/naming.h"

namespace xstack {

NamedFrame name_frame(const Frame& frame, CodeInfo& code) {
  NamedFrame named;
  named.pc = frame.pc;
  named.sp = frame.sp;
  named.found_by = frame.found_by;
  named.stack = frame.stack;
  auto symbol = code.function_at(lookup_address(frame));
  if (symbol) {
    named.symbol = std::move(symbol->name);
    named.offset = frame.pc - symbol->start;
    if (symbol->size != 0) {
      named.size = symbol->size;
    }
    if (!symbol->module.empty()) {
      named.module = std::move(symbol->module);
    }
  }
  return named;
}

}  // namespace xstack
