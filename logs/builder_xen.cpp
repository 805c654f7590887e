// SPDX-License-Identifier: LGPL-2.1-or-later
// The lines of Xen's reports: xen/arch/arm/traps.c, xen/arch/x86/traps.c, xen/common/domain.c, 4.4 to 4.20.
#include <algorithm>
#include <array>

#include "logs/builder.h"
#include "logs/words.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

constexpr WordSet kOthers(std::array{
    "domain_crash"sv,
    "Pagetable walk from"sv,
    "L5["sv,
    "L4["sv,
    "L3["sv,
    "L2["sv,
    "L1["sv,
    "[error_code="sv,
    "Faulting linear"sv,
    "No stack trace"sv,
    "Stack empty"sv,
    "Stack is misaligned"sv,
    "Failed to convert"sv,
    "Guest-inaccessible"sv,
    "Inaccessible"sv,
    "User mode stack"sv,
    "Fault while accessing"sv,
    "Xen BUG at"sv,
    "Xen WARN at"sv,
    "Assertion '"sv,
    "Xen stack overflow"sv,
    "Valid stack range"sv,
    "MODE:"sv,
    "Hypervisor"sv,
    "Xen code around"sv,
    "No per-CPU stack"sv,
    "Current stack base"sv,
    "DOUBLE FAULT"sv,
    "Hardware Dom"sv,
});

/// "fc 0f 0b <48> 8b": bytes of code.
bool is_code_row(std::string_view text) {
  std::size_t bytes = 0;
  while (!text.empty() && bytes < 64) {
    skip_blanks(text);
    if (text.empty()) {
      break;
    }
    (void)take(text, "<");
    if (text.size() < 2 || hex_value(text[0]) < 0 || hex_value(text[1]) < 0) {
      return false;
    }
    text.remove_prefix(2);
    (void)take(text, ">");
    ++bytes;
  }
  return bytes != 0;
}

}  // namespace

Builder::Took Builder::take_xen(std::string_view text, std::uint64_t number) {
  const std::string_view body = trimmed(text);
  if (body.empty()) {
    return Took::neutral;
  }
  if (report_.kind == Kind::debug_key) {
    // What a key prints has no form of its own: lines that are indented, or about a domain, a CPU or interrupts.
    static constexpr WordSet kWords(
        std::array{"General information"sv, "Rangesets"sv, "Memory pages"sv, "VCPU information"sv, "NODE affinity"sv,
                   "Notifying guest"sv, "nr_pages"sv, "Domain info"sv, "Shared frames"sv,
                   // ARM: the guest's memory and its virtual interrupt controller
                   "p2m mappings for"sv, "GICH_LRs "sv, "Inflight irq="sv, "Pending irq="sv, "No periodic timer"sv});
    const bool part = is_blank(text.front()) || body.find("' pressed") != std::string_view::npos || kWords.begins(body);
    return part ? Took::yes : Took::no;
  }
  if (body.front() == '*' && body.find_first_not_of('*') == std::string_view::npos) {
    panic_title_ = false;
    return Took::yes;
  }
  if (begins(body, "Reboot in ") || begins(body, "Manual reset required") || begins(body, "System shutting down")) {
    return Took::last;
  }
  if (begins(body, "Panic on CPU ")) {
    panic_title_ = true;
    take_context(body);
    return Took::yes;
  }
  if (panic_title_) {
    // The reason, over one line or more, up to the row of stars. The first is the title of a report without a better.
    if (report_.kind == Kind::xen_panic && begins(report_.title, "Panic on CPU ")) {
      report_.title = "Panic: " + std::string(body.substr(0, 280));
    } else if (report_.panic.empty()) {
      report_.panic = std::string(body.substr(0, 280));
    }
    return Took::yes;
  }
  if (begins(body, "----[ Xen-")) {
    const std::string_view version = text_after(body, "----[ ", " ");
    report_.release = std::string(version.substr(0, 64));
    for (const auto name : {"x86_64"sv, "arm64"sv, "arm32"sv, "x86_32"sv}) {
      if (report_.arch.empty() && body.find(name) != std::string_view::npos) {
        report_.arch = std::string(name);
      }
    }
    return Took::yes;
  }
  if (begins(body, "Guest stack trace from ") || begins(body, "Xen stack trace from ")) {
    // "sp=ADDR:", "rsp=ADDR:", "esp=", "ss:sp=SEG:ADDR:"
    std::string_view value = body.substr(body.rfind('=') + 1);
    const auto first = take_hex(value);
    const bool segment = take(value, ":") && !value.empty();
    report_.stack_pointer = segment ? take_hex(value) : first;
    in_stack_ = true;
    in_trace_ = false;
    return Took::yes;
  }
  if (begins(body, "Xen call trace:")) {
    begin_trace();
    return Took::yes;
  }
  if (begins(body, "Xen code around ")) {
    code_row_ = true;
    return Took::yes;
  }
  if (code_row_ && is_code_row(body)) {
    code_row_ = false;
    return Took::yes;
  }
  if (in_trace_ && take_frames(text, number)) {
    return Took::yes;
  }
  if (in_stack_ && take_stack_row(body, number)) {
    return Took::yes;
  }
  if (begins(body, "CPU: ")) {
    std::string_view value = body.substr(4);
    skip_blanks(value);
    if (!report_.cpu) {
      report_.cpu = take_decimal(value);
    }
    return Took::yes;
  }
  if (begins(body, "RIP:") || begins(body, "PC:")) {
    const std::size_t plus = body.find('+');
    if (plus != std::string_view::npos) {
      std::string_view token = body.substr(body.rfind(' ', plus) + 1);
      Frame frame;
      frame.exact = true;
      if (take_symbol(token, frame)) {
        add_spot(number, Spot::What::frame, frame);
        pc_ = pc_ ? pc_ : std::optional(frame);
      }
    }
    if (take_registers(body, number)) {
      return Took::yes;
    }
  }
  if (begins(body, "RFLAGS:") || begins(body, "EFLAGS:") || begins(body, "CPSR:")) {
    const std::size_t at = std::min(body.find("CONTEXT: "), body.find("MODE:"));
    if (at != std::string_view::npos && report_.mode.empty()) {
      const std::string_view mode = body.substr(body.find(':', at) + 1);
      report_.mode = std::string(trimmed(mode.substr(0, std::min(mode.find("(d"), mode.size()))).substr(0, 64));
    }
    take_context(body);
  }
  if (take_registers(body, number)) {
    in_stack_ = false;
    return Took::yes;
  }
  take_context(body);
  if ((begins(body, "*** ") && !begins(body, "*** Serial input ")) || kOthers.begins(body) ||
      (begins(body, "Domain ") && body.find("crashed") != std::string_view::npos)) {
    return Took::yes;
  }
  return Took::no;
}

}  // namespace xstack::logs
