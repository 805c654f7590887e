// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <string>

#include "linux/kernel_findings.h"

namespace xstack {

/// The facts of a capture, key "linux": one JSON object with everything in `findings`.
[[nodiscard]] std::map<std::string, std::string> write_facts(const KernelFindings& findings);

/// The same read back. A capture is a stranger's: every member is checked as if it had been found in hostile memory,
/// and one that is missing or makes no sense is left out. Nothing when there is no such key or it is no JSON object.
[[nodiscard]] std::optional<KernelFindings> read_facts(const std::map<std::string, std::string>& facts,
                                                       unsigned word_size);

}  // namespace xstack
