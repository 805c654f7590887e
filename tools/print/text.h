// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "tools/print/printer.h"
#include "tools/print/style.h"

/// The parts of the text printer. Each returns whole lines.
namespace xstack::text {

/// `value` as `bits` / 4 hexadecimal digits, more when it does not fit.
[[nodiscard]] std::string hex(std::uint64_t value, unsigned bits);

/// "panic+0x12c/0x30c [module]", escaped; without what is not known.
[[nodiscard]] std::string symbol(const std::string& name, std::uint64_t offset, std::optional<std::uint64_t> size,
                                 const std::optional<std::string>& module);

/// Two or three lines: who the guest is, its state, its kernel.
[[nodiscard]] std::string header(const GuestReport& guest, const View& view, const Style& style);

/// "waiting in WFI with interrupts masked (the instruction before pc is a WFI)". No line of its own.
[[nodiscard]] std::string doing(const Doing& doing, bool with_how);

/// What Xen's own log says about the guest, or why there is nothing when that was wanted.
[[nodiscard]] std::string hypervisor(const GuestReport& guest, const View& view, const Style& style);

/// The same in full, a line for each thing that is known.
[[nodiscard]] std::string info(const Report& report, const View& view, const Style& style);

/// General registers in the order that the field is used to, the banks, and on request the rest.
[[nodiscard]] std::string registers(const CpuState& cpu, const View& view, const Style& style);

/// The words of a stack.
[[nodiscard]] std::string stack(const StackDump& stack, const DumpFormat& format, const Style& style);

/// Memory as words of the guest's size.
[[nodiscard]] std::string memory(const MemoryDump& memory, unsigned word_size, bool as_stack, const DumpFormat& format,
                                 const Style& style);

/// The frames and why there are no more.
[[nodiscard]] std::string trace(std::span<const NamedFrame> frames, const std::optional<TraceEnd>& end,
                                unsigned word_size, const Style& style);

}  // namespace xstack::text
