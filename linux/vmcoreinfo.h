// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "guest/guest.h"
#include "guest/memory.h"

namespace xstack {

/// The text that a kernel writes for crash dumps: lines KEY=value (kernel/vmcore_info.c, before 6.9
/// kernel/crash_core.c; Linux 2.6.24 on, when the kernel has CONFIG_KEXEC or the like). Guest text: every value is
/// checked where it is used.
class Vmcoreinfo {
 public:
  /// Nothing when the text does not start with a sane OSRELEASE line or lacks PAGESIZE.
  [[nodiscard]] static std::optional<Vmcoreinfo> parse(std::string_view text);

  /// The value of a line, e.g. value("OSRELEASE").
  [[nodiscard]] std::optional<std::string_view> value(std::string_view key) const;
  /// SYMBOL(name): a run-time address.
  [[nodiscard]] std::optional<GuestVirt> symbol(std::string_view name) const;
  /// NUMBER(name): decimal, signed, or 0x hexadecimal; modulo 2^64.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name) const;
  /// KERNELOFFSET: how far the image was slid (x86-64 and arm64).
  [[nodiscard]] std::optional<std::uint64_t> kernel_offset() const;
  [[nodiscard]] std::optional<std::string> release() const;
  /// BUILD-ID as lower-case hex (5.10 on).
  [[nodiscard]] std::optional<std::string> build_id() const;
  /// All of it, as the kernel wrote it.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// The most that the kernel writes: one page, of 64 KiB at most; those seen have 3.5 KiB.
inline constexpr std::size_t kMaxVmcoreinfo = 16384;

/// Reads the text at `at`, up to a NUL.
[[nodiscard]] std::optional<Vmcoreinfo> read_vmcoreinfo(VirtMemory& memory, GuestVirt at);

/// Looks at the start of every page of RAM (and at 0x18, where the ELF note's copy has it), `max_pages` at most, asked
/// for in batches. For files, and for live domains when nothing else shows where the kernel is: it touches all of
/// memory.
[[nodiscard]] std::optional<Vmcoreinfo> find_vmcoreinfo(Guest& guest,
                                                        std::optional<std::uint64_t> max_pages = std::nullopt);

/// Is this a kernel release as uname prints it: printable, no blanks, starts with a digit, at most 64 characters?
[[nodiscard]] bool is_release(std::string_view text);

}  // namespace xstack
