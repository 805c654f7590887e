// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <string>

#include "linux/kernel_log.h"

namespace xstack {

/// A log as a capture carries it, fact "log": one JSON object. Of a large log the newest records, 512 KiB of text.
[[nodiscard]] std::map<std::string, std::string> write_log_facts(const KernelLog& log);

/// The same read back; a capture is a stranger's, and a record that makes no sense is left out. Nothing when there is
/// no such fact.
[[nodiscard]] std::optional<KernelLog> read_log_facts(const std::map<std::string, std::string>& facts);

}  // namespace xstack
