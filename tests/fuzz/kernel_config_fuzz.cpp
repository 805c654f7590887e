// SPDX-License-Identifier: LGPL-2.1-or-later
// A configuration of anybody's: parsed, held against all rules, and printed in every form.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "tools/print/config_printer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const auto config = KernelConfig::parse({reinterpret_cast<const char*>(data), size});
  if (!config) {
    return 0;
  }
  ConfigReport report{
      "fuzz",       "the file", config->version(), config->arch().value_or(ConfigArch::arm), config->complete(),
      std::nullopt, {}};
  for (const ConfigRole role : kConfigRoles) {
    report.roles.push_back(check_role(*config, report.arch, role));
  }
  // Unsigned: bytes of characters beyond ASCII are no control characters.
  for (const unsigned char c : print_config(report, true) + config_fragment(*config, report.roles)) {
    if (c != '\n' && (c < 0x20 || c == 0x7f)) {
      __builtin_trap();
    }
  }
  if (!nlohmann::json::accept(print_config_json(report))) {
    __builtin_trap();
  }
  return 0;
}
