// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

namespace xstack {

/// Does a file belong to the guest's kernel, by the build-ids (hex) of both?
struct BuildIdCheck {
  bool usable = true;
  std::optional<std::string> remark;  ///< for a warning: one of them is not known, or they differ
};

/// Ids that differ refuse the file, unless `force`; with one unknown it is used with a remark.
[[nodiscard]] BuildIdCheck check_build_id(const std::optional<std::string>& file,
                                          const std::optional<std::string>& guest, bool force);

}  // namespace xstack
