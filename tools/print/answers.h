// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "tools/look_up.h"

namespace xstack {

/// One line of text: the address, the symbol, the place in it, and inwards from there what was inlined.
[[nodiscard]] std::string answer_text(const Answer& answer, unsigned word_size);

/// One line with a JSON object: tools/schema/xstack-symbols-1.json.
[[nodiscard]] std::string answer_json(const Answer& answer);

}  // namespace xstack
