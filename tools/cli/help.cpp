// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "tools/cli/option_table.h"

namespace xstack {
namespace {

constexpr std::size_t kHelpColumn = 34;
constexpr std::size_t kWidth = 100;

/// Appends `text` broken into lines that begin at kHelpColumn; the first one continues the line that `out` ends with.
void append_wrapped(std::string& out, std::string_view text) {
  while (text.size() > kWidth - kHelpColumn) {
    const std::size_t cut = text.rfind(' ', kWidth - kHelpColumn);
    out += fmt::format("{}\n{:{}}", text.substr(0, cut), "", kHelpColumn);
    text.remove_prefix(cut + 1);
  }
  out += fmt::format("{}\n", text);
}

}  // namespace

std::string help_text() {
  std::string out =
      "usage: xstack [trace] [OPTION]... DOMAIN [VCPU]\n"
      "       xstack [trace] [OPTION]... --core FILE [VCPU]\n"
      "       xstack regs|stack|info [OPTION]... DOMAIN|--core FILE [VCPU]\n"
      "       xstack dmesg|modules [OPTION]... DOMAIN|--core FILE\n"
      "       xstack symbols [OPTION]... DOMAIN|--core FILE|--no-guest [ADDR|NAME]...\n"
      "       xstack capture [OPTION]... DOMAIN|--core FILE -o FILE\n"
      "       xstack dump [OPTION]... DOMAIN|--core FILE -o FILE\n"
      "       xstack gdb [OPTION]... DOMAIN|--core FILE\n"
      "       xstack log [OPTION]... [FILE]...\n"
      "       xstack check-config [OPTION]... FILE|DOMAIN|--core FILE\n"
      "       xstack boards [show NAME|FILE]\n"
      "       xstack boards boot NAME|FILE --xen FILE --dom0 FILE [OPTION]...\n"
      "\n"
      "Shows what a Xen guest was doing when it stopped: the registers, the stack and a call trace with names\n"
      "of every vCPU. DOMAIN is a name, a domid or a UUID. The guest is only read; a running one is paused for\n"
      "a moment. ADDR and N are decimal, or hexadecimal after 0x.\n"
      "\nSubcommands:\n";
  for (const auto& command : command_table()) {
    out += fmt::format("  {:{}}{}\n", command.name, kHelpColumn - 2, command.summary);
  }
  std::string_view group;
  for (const auto& option : option_table()) {
    if (group != option.group) {
      group = option.group;
      out += fmt::format("\n{}:\n", group);
    }
    std::string left = option.short_name != 0 ? fmt::format("  -{}, ", option.short_name) : std::string("      ");
    left += fmt::format("--{}", option.long_name);
    if (option.value_name != nullptr) {
      left += fmt::format(" {}", option.value_name);
    }
    out += fmt::format("{:{}}", left + " ", kHelpColumn);
    append_wrapped(out, option.help);
  }
  out +=
      "\nExit status: 0 a whole answer, 1 a partial one (it says which part is missing), 2 usage, 3 no access or\n"
      "no such domain, 4 input not understood; log: 10 a crash, 11 only known ones; check-config: 10 something\n"
      "required is missing, 11 something recommended. A domain that is named like a subcommand: xstack trace info.\n";
  return out;
}

}  // namespace xstack
