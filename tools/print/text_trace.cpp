// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/text.h"
#include "tools/print/text.h"

namespace xstack::text {
namespace {

std::string frame_line(std::size_t number, const NamedFrame& frame, unsigned word_size, const Style& style) {
  const bool guess = frame.found_by == FoundBy::scan;
  std::string name = frame.symbol ? symbol(*frame.symbol, frame.offset, frame.size, frame.module) : "(no symbol)";
  if (frame.found_by == FoundBy::inlined && frame.symbol) {
    name = escape(*frame.symbol) + (frame.module ? fmt::format(" [{}]", escape(*frame.module)) : "");
  }
  if (frame.file) {
    name += "  " + escape(*frame.file);
    if (frame.line) {
      name += fmt::format(":{}", *frame.line);
    }
  }
  const std::string mark = guess ? style.guess("? " + name) : style.name(name);
  return fmt::format("    {:<3} [<{}>] {}  ({}{})\n", fmt::format("#{}", number), hex(frame.pc.value, word_size * 8),
                     mark, to_string(frame.found_by), guess ? ": a guess" : "");
}

/// As kernels print it: <IRQ>, <NMI>.
std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return text;
}

std::string end_line(const TraceEnd& end, unsigned word_size, const Style& style) {
  const bool complete = end.reason == EndReason::user_mode || end.reason == EndReason::end_of_stack;
  std::string out = complete ? std::string(to_string(end.reason)) : style.alarm(to_string(end.reason));
  if (end.user) {
    out += fmt::format(": pc {}", hex(end.user->pc.value, word_size * 8));
    if (end.user->sp) {
      out += fmt::format(", sp {}", hex(end.user->sp->value, word_size * 8));
    }
  }
  if (!end.detail.empty()) {
    out += fmt::format(" ({})", escape(end.detail));
  }
  return fmt::format("    ended: {}\n", out);
}

}  // namespace

std::string trace(std::span<const NamedFrame> frames, const std::optional<TraceEnd>& end, unsigned word_size,
                  const Style& style) {
  std::string out = "  Call trace:\n";
  std::optional<std::string> on;  ///< the stack that we are on, when it is not the task's
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto& frame = frames[i];
    if (frame.stack != on) {
      if (on) {
        out += fmt::format("    </{}>\n", escape(upper(*on)));
      }
      if (frame.stack) {
        out += fmt::format("    <{}>\n", escape(upper(*frame.stack)));
      }
      on = frame.stack;
    }
    out += frame_line(i, frame, word_size, style);
  }
  if (on) {
    out += fmt::format("    </{}>\n", escape(upper(*on)));
  }
  if (end) {
    out += end_line(*end, word_size, style);
  }
  return out;
}

}  // namespace xstack::text
