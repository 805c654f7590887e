// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/kernel_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace xstack {
namespace {

constexpr std::size_t kMaxOptions = 1U << 17;  // Linux 7.2 knows some 20000
constexpr std::size_t kMaxLine = 4096;
constexpr std::string_view kPrefix = "CONFIG_";
constexpr std::string_view kNotSet = " is not set";

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string_view trimmed(std::string_view line) {
  const auto end = line.find_last_not_of(" \t\r");
  return end == std::string_view::npos ? std::string_view() : line.substr(0, end + 1);
}

/// A string's value: without the quotes, and with what backslashes hide.
std::string unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') {
    return std::string(value);
  }
  value = value.substr(1, value.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) {
      ++i;
    }
    out += value[i];
  }
  return out;
}

bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() >= '0' && text.front() <= '9' &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

const char* to_string(ConfigArch arch) {
  switch (arch) {
    case ConfigArch::arm:
      return "arm";
    case ConfigArch::arm64:
      return "arm64";
    case ConfigArch::x86:
      return "x86";
  }
  return "?";
}

/// "# Linux/arm 6.1.0 Kernel Configuration"; before 3.0 "# Linux kernel version: 2.6.39", which says no architecture.
void KernelConfig::take_comment(std::string_view line) {
  constexpr std::string_view kLinux = "# Linux/";
  if (line.find("Automatically generated") != std::string_view::npos) {
    complete_ = true;
    return;
  }
  if (!line.starts_with(kLinux) || !line.ends_with(" Kernel Configuration")) {
    return;
  }
  line.remove_prefix(kLinux.size());
  const std::string_view arch = line.substr(0, line.find(' '));
  if (arch == "arm") {
    arch_ = ConfigArch::arm;
  } else if (arch == "arm64") {
    arch_ = ConfigArch::arm64;
  } else if (arch == "x86" || arch == "x86_64" || arch == "i386") {
    arch_ = ConfigArch::x86;
  }
  line.remove_prefix(std::min(line.size(), arch.size() + 1));
  const std::string_view version = line.substr(0, line.find(' '));
  if (is_version(version)) {
    version_ = std::string(version);
  }
}

/// True for a line that says something of an option.
bool KernelConfig::take_line(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.size() > kMaxLine) {
    return false;
  }
  if (line.front() == '#') {
    std::string_view rest = line.substr(1);
    if (!rest.starts_with(" CONFIG_") || !rest.ends_with(kNotSet)) {
      take_comment(line);
      return false;
    }
    rest.remove_prefix(1 + kPrefix.size());
    rest.remove_suffix(kNotSet.size());
    if (!is_name(rest)) {
      return false;
    }
    values_.insert_or_assign(std::string(rest), "n");
    return true;
  }
  const auto equals = line.find('=');
  if (!line.starts_with(kPrefix) || equals == std::string_view::npos) {
    return false;
  }
  const std::string_view name = line.substr(kPrefix.size(), equals - kPrefix.size());
  if (!is_name(name)) {
    return false;
  }
  values_.insert_or_assign(std::string(name), unquoted(line.substr(equals + 1)));
  return true;
}

bool KernelConfig::is_y(std::string_view name) const {
  const auto it = values_.find(name);
  return it != values_.end() && it->second == "y";
}

Result<KernelConfig> KernelConfig::parse(std::string_view text) {
  if (text.size() > kMaxText) {
    return fail(Errc::too_large, fmt::format("a kernel configuration of more than {} MiB", kMaxText >> 20));
  }
  if (text.find('\0') != std::string_view::npos) {
    return fail(Errc::bad_format, "this is no kernel configuration: it has NUL bytes");
  }
  KernelConfig config;
  bool any = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    any = config.take_line(text.substr(0, end)) || any;
    if (config.values_.size() > kMaxOptions) {
      return fail(Errc::too_large, fmt::format("a kernel configuration of more than {} options", kMaxOptions));
    }
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  if (!any) {
    return fail(Errc::bad_format, "this is no kernel configuration: no line of it is CONFIG_NAME=VALUE");
  }
  if (!config.arch_) {
    // ARM64 kernels have CONFIG_ARM64 and no CONFIG_ARM.
    if (config.is_y("ARM64")) {
      config.arch_ = ConfigArch::arm64;
    } else if (config.is_y("ARM")) {
      config.arch_ = ConfigArch::arm;
    } else if (config.is_y("X86") || config.is_y("X86_64") || config.is_y("X86_32")) {
      config.arch_ = ConfigArch::x86;
    }
  }
  return config;
}

std::optional<std::string_view> KernelConfig::value(std::string_view name) const {
  const auto it = values_.find(name);
  if (it != values_.end()) {
    return it->second;
  }
  return complete_ ? std::optional<std::string_view>("n") : std::nullopt;
}

std::optional<unsigned> KernelConfig::age() const {
  if (!version_) {
    return std::nullopt;
  }
  unsigned major = 0;
  unsigned minor = 0;
  const char* const end = version_->data() + version_->size();
  const auto first = std::from_chars(version_->data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') {
    return std::nullopt;
  }
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  if (second.ec != std::errc() || major > 999 || minor > 999) {
    return std::nullopt;
  }
  return major * 1000 + minor;
}

}  // namespace xstack
