// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "boards/kernel_layout.h"
#include "tools/cli/arch_name.h"
#include "tools/cli/commands.h"
#include "tools/print/config_printer.h"

namespace xstack {
namespace {

/// A word with a slash is a file, and so is one that is the name of a file here; else it names a domain.
bool is_file(const std::string& word) {
  return word.find('/') != std::string::npos || ::access(word.c_str(), F_OK) == 0;
}

Result<FoundConfig> find_config(const Invocation& invocation) {
  const Options& options = invocation.options;
  if (!options.core && is_file(*options.domain)) {
    return read_config_file(*options.domain);
  }
  auto guest = open_guest(invocation);
  return guest ? invocation.backend.read_config(**guest, kernel_request(options)) : tl::unexpected(guest.error());
}

ConfigArch config_arch(ArchId id) {
  return id == ArchId::arm32 ? ConfigArch::arm : id == ArchId::arm64 ? ConfigArch::arm64 : ConfigArch::x86;
}

ExitStatus status_of(const ConfigReport& report) {
  const auto any = [&](RoleVerdict verdict) {
    return std::ranges::find(report.roles, verdict, &RoleCheck::verdict) != report.roles.end();
  };
  return any(RoleVerdict::unfit)        ? ExitStatus::unfit
         : any(RoleVerdict::undecided)  ? ExitStatus::partial
         : any(RoleVerdict::lacks_some) ? ExitStatus::lacks_recommended
                                        : ExitStatus::whole;
}

}  // namespace

Result<ExitStatus> run_check_config(const Invocation& invocation) {
  const Options& options = invocation.options;
  const auto found = find_config(invocation);
  if (!found) {
    return tl::unexpected(found.error());
  }
  const KernelConfig& config = found->config;
  ConfigReport report{options.core.value_or(options.domain.value_or("")),
                      found->where,
                      config.version(),
                      {},
                      config.complete(),
                      std::nullopt,
                      {}};
  if (options.arch) {
    report.arch = config_arch(*options.arch);
  } else if (config.arch()) {
    report.arch = *config.arch();
  } else {
    return fail(Errc::not_found, report.source +
                                     ": the configuration does not say which architecture it is for; "
                                     "--arch does");
  }
  std::vector<ConfigRule> board_rules;
  if (options.profile) {
    const Board& board = *options.profile;
    report.board = fmt::format("{} ({})", board.name, board.title);
    const auto board_arch = find_arch(board.text("soc.arch").value_or(""));
    if (board_arch && config_arch(*board_arch) != report.arch) {
      report.notes.push_back(fmt::format("the board is {}: no kernel for {} runs on it, and its rules are not used",
                                         to_string(*board_arch), to_string(report.arch)));
    } else {
      board_rules = config_rules(board);
      if (const auto layout = report.arch == ConfigArch::arm ? kernel_layout(board, config) : std::nullopt) {
        report.notes.push_back(describe(*layout, board));
      }
    }
  }
  // A domain or a dump is a guest: that it could be dom0 is asked for by name only.
  const bool guest = options.core.has_value() || !is_file(*options.domain);
  for (const ConfigRole role : kConfigRoles) {
    const bool asked = (options.roles & (1U << static_cast<unsigned>(role))) != 0;
    if (asked || (options.roles == 0 && !(guest && role == ConfigRole::dom0))) {
      report.roles.push_back(check_role(config, report.arch, role, board_rules));
    }
  }
  if (options.fix) {
    const auto written = invocation.console.out.write(config_fragment(config, report.roles));
    return written ? Result<ExitStatus>(ExitStatus::whole) : tl::unexpected(written.error());
  }
  const std::string text = options.json ? print_config_json(report) : print_config(report, options.verbose);
  if (auto written = invocation.console.out.write(text); !written) {
    return tl::unexpected(written.error());
  }
  return status_of(report);
}

}  // namespace xstack
