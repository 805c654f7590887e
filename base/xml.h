// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace xstack {

/// Foreign text for an attribute or the body of an XML document: control characters and invalid UTF-8 as escape() makes
/// them (base/text.h), then XML's own characters as entities.
[[nodiscard]] std::string escape_xml(std::string_view text);

}  // namespace xstack
