// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace xstack {

/// The architectures whose kernels differ in what Xen asks of them.
enum class ConfigArch : std::uint8_t { arm, arm64, x86 };

[[nodiscard]] const char* to_string(ConfigArch arch);

/// A kernel's configuration: the text of a .config (scripts/kconfig/confdata.c, conf_read_simple() of Linux). Of a name
/// that stands there twice the last line counts, as it does for kconfig.
class KernelConfig {
 public:
  /// The longest text that is taken; those of distributions have 120 to 340 KiB.
  static constexpr std::size_t kMaxText = 8U << 20;

  /// Errors: bad_format (no line of it is one of a configuration, or it has NUL bytes), too_large.
  [[nodiscard]] static Result<KernelConfig> parse(std::string_view text);

  /// What the text says of CONFIG_`name`: "y", "m", a number, a string without its quotes; "n" for one that "is not
  /// set", and for one that a complete configuration leaves out: kconfig writes down every option that could have
  /// been chosen. Nothing when the text does not say.
  [[nodiscard]] std::optional<std::string_view> value(std::string_view name) const;

  /// kconfig has written it, not a person: what it leaves out is off. A defconfig or a fragment is not complete.
  [[nodiscard]] bool complete() const { return complete_; }
  /// Told by the text's head line or by its options.
  [[nodiscard]] std::optional<ConfigArch> arch() const { return arch_; }
  /// "6.1.0" of the head line; foreign text.
  [[nodiscard]] const std::optional<std::string>& version() const { return version_; }
  /// The version's first two numbers, as 6001 for 6.1.
  [[nodiscard]] std::optional<unsigned> age() const;
  [[nodiscard]] std::size_t size() const { return values_.size(); }

 private:
  void take_comment(std::string_view line);
  [[nodiscard]] bool take_line(std::string_view line);
  [[nodiscard]] bool is_y(std::string_view name) const;

  std::map<std::string, std::string, std::less<>> values_;
  std::optional<ConfigArch> arch_;
  std::optional<std::string> version_;
  bool complete_ = false;
};

}  // namespace xstack
