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

void append_frames(std::vector<NamedFrame>& frames, const Frame& frame, CodeInfo& code, SourceLines* lines) {
  NamedFrame real = name_frame(frame, code);
  auto places = lines != nullptr ? lines->places_at(lookup_address(frame)) : std::vector<SourcePlace>();
  for (std::size_t i = 0; i + 1 < places.size(); ++i) {
    NamedFrame inlined;
    inlined.pc = frame.pc;
    inlined.found_by = FoundBy::inlined;
    inlined.symbol = std::move(places[i].function);
    inlined.module = real.module;
    inlined.file = std::move(places[i].file);
    inlined.line = places[i].line;
    inlined.stack = frame.stack;
    frames.push_back(std::move(inlined));
  }
  if (!places.empty()) {
    real.file = std::move(places.back().file);
    real.line = places.back().line;
  }
  frames.push_back(std::move(real));
}

}  // namespace xstack
