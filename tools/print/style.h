// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace xstack {

/// Colours, or none.
class Style {
 public:
  explicit Style(bool color) : color_(color) {}
  [[nodiscard]] std::string title(std::string_view text) const { return wrap("\x1b[1m", text); }
  [[nodiscard]] std::string name(std::string_view text) const { return wrap("\x1b[36m", text); }
  [[nodiscard]] std::string guess(std::string_view text) const { return wrap("\x1b[33m", text); }
  [[nodiscard]] std::string alarm(std::string_view text) const { return wrap("\x1b[31m", text); }

 private:
  [[nodiscard]] std::string wrap(std::string_view code, std::string_view text) const {
    return color_ && !text.empty() ? std::string(code).append(text).append("\x1b[0m") : std::string(text);
  }
  bool color_;
};

}  // namespace xstack
