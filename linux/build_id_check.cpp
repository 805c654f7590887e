// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/build_id_check.h"

#include <fmt/format.h>

namespace xstack {

BuildIdCheck check_build_id(const std::optional<std::string>& file, const std::optional<std::string>& guest,
                            bool force) {
  if (!guest) {
    return {true, "the guest's build-id is not known: it is not certain that the file is its kernel's"};
  }
  if (!file) {
    return {true, "the file has no build-id: it is not certain that it is the guest's kernel's"};
  }
  if (*file == *guest) {
    return {};
  }
  const std::string both = fmt::format("its build-id {} is not the guest's {}", *file, *guest);
  return force ? BuildIdCheck{true, both + ": used all the same"}
               : BuildIdCheck{false, both + ": it is not used (--force uses it)"};
}

}  // namespace xstack
