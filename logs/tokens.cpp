// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/tokens.h"

#include <algorithm>
#include <array>

#include "logs/words.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kLongestName = 512;
constexpr std::size_t kMostRegisters = 128;

constexpr std::array<bool, 256> kEndsName = [] {
  std::array<bool, 256> ends{};
  for (const char c : " \t()[]"sv) {
    ends[static_cast<unsigned char>(c)] = true;
  }
  return ends;
}();

constexpr bool ends_name(char c) {
  return kEndsName[static_cast<unsigned char>(c)];
}

/// "0x1a", or Xen's "0" and "2": decimal never has more than one digit.
std::optional<std::uint64_t> take_offset(std::string_view& text) {
  (void)take(text, "0x");
  return take_hex(text);
}

/// "[<ffffffff81012345>]", taken; also the null pointers of old kernels.
bool take_bracketed(std::string_view& text, std::optional<std::uint64_t>& address) {
  std::string_view rest = text;
  if (!take(rest, "[<")) {
    return false;
  }
  const std::size_t close = rest.substr(0, 24).find(">]");
  if (close == std::string_view::npos) {
    return false;
  }
  std::string_view inside = trimmed(rest.substr(0, close));
  (void)take(inside, "0x");
  const auto value = take_hex(inside, 4);
  address = inside.empty() ? value : std::nullopt;
  rest.remove_prefix(close + 2);
  text = rest;
  return true;
}

/// A name alone, as in the first half of arm32's lines.
bool take_bare_name(std::string_view& text, Frame& frame) {
  std::size_t n = 0;
  while (n < text.size() && n < kLongestName && !ends_name(text[n])) {
    ++n;
  }
  if (n == 0 || n == kLongestName) {
    return false;
  }
  frame.symbol = std::string(text.substr(0, n));
  text.remove_prefix(n);
  return true;
}

bool take_symbol_or_address(std::string_view& text, Frame& frame) {
  if (take_symbol(text, frame)) {
    return true;
  }
  std::string_view rest = text;
  if (take(rest, "0x")) {
    if (const auto value = take_hex(rest, 6)) {
      frame.address = value;
      text = rest;
      return true;
    }
  }
  return false;
}

/// "[<addr>] (name) from [<addr>] (name+0x1/0x2 [module])".
TraceLine parse_old_arm(std::string_view text, std::vector<Frame>& frames) {
  Frame callee;
  Frame caller;
  (void)take(text, "Function entered at ");
  if (!take_bracketed(text, callee.address)) {
    return {};
  }
  skip_blanks(text);
  if (take(text, "(")) {
    if (!take_symbol(text, callee) && !take_bare_name(text, callee)) {
      return {};
    }
    take_module(text, callee);
    if (!take(text, ")")) {
      return {};
    }
  }
  skip_blanks(text);
  if (!take(text, "from ") || !take_bracketed(text, caller.address)) {
    return {};
  }
  skip_blanks(text);
  if (take(text, "(")) {
    (void)take_symbol_or_address(text, caller);
    take_module(text, caller);
  }
  callee.exact = true;  // the start of the function
  frames.push_back(std::move(callee));
  frames.push_back(std::move(caller));
  return {true, true};
}

/// "name [module] from name+0x1/0x2 [module]".
TraceLine parse_new_arm(std::string_view text, std::vector<Frame>& frames, bool indented) {
  Frame callee;
  Frame caller;
  if (!take_bare_name(text, callee)) {
    return {};
  }
  take_module(text, callee);
  // Where a web page ate the blanks before it, only a symbol is enough.
  if (!take(text, " from ") || !(indented ? take_symbol_or_address(text, caller) : take_symbol(text, caller))) {
    return {};
  }
  take_module(text, caller);
  frames.push_back(std::move(callee));
  frames.push_back(std::move(caller));
  return {true, true};
}

/// "kernel/fork.c:12", "kernel/fork.c:12 (discriminator 3)" or "kernel/fork.c:12 [inline]" and nothing else: what
/// syzkaller and scripts/decode_stacktrace.sh put behind a frame.
bool take_source(std::string_view text, Frame& frame) {
  const std::string_view path = text.substr(0, text.find_first_of(" )"));
  const std::size_t colon = path.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kLongestName ||
      path.substr(0, colon).find('.') == std::string_view::npos) {
    return false;
  }
  std::string_view number = path.substr(colon + 1);
  const auto line = take_decimal(number);
  if (!line || !number.empty()) {
    return false;
  }
  frame.file = std::string(path.substr(0, colon));
  frame.line = *line;
  return true;
}

/// "name file.c:12 [inline]", and decode_stacktrace.sh's "name (file.c:12)" that has lost its offset.
bool take_decoded(std::string_view text, Frame& frame) {
  std::size_t n = 0;
  while (n < text.size() && n < kLongestName &&
         (is_letter(text[n]) || is_digit(text[n]) || text[n] == '_' || text[n] == '.')) {
    ++n;
  }
  if (n == 0 || n == kLongestName || n + 1 >= text.size() || text[n] != ' ') {
    return false;
  }
  std::string_view rest = text.substr(n + 1);
  frame.inlined = text.ends_with(" [inline]");
  if (!frame.inlined && !take(rest, "(")) {
    return false;
  }
  if (!take_source(rest, frame)) {
    return false;
  }
  frame.symbol = std::string(text.substr(0, n));
  return true;
}

/// A path with a line in it, in brackets or with "[inline]" behind it.
bool may_be_decoded(std::string_view text) {
  const std::size_t blank = text.find(' ');
  return (blank + 1 < text.size() && text[blank + 1] == '(') || (text.back() == ']' && text.ends_with(" [inline]"));
}

/// " <IRQ>  [<addr>] name+..": up to 4.13 or so x86 named the stack in the line of its first frame.
void take_section(std::string_view& text) {
  if (text.front() != '<') {
    return;
  }
  const std::size_t end = text.substr(0, 24).find("> ");
  if (end != std::string_view::npos && end >= 3 && text.find(' ') == end + 1) {
    text.remove_prefix(end + 2);
    skip_blanks(text);
  }
}

/// Has the line what every form of a frame has? Most lines of a report have not.
bool may_be_frame(std::string_view text, bool indented) {
  return text.front() == '[' || text.find('+') != std::string_view::npos || begins(text, "0x") || begins(text, "? ") ||
         begins(text, "Function entered") || (indented && text.find(" from 0x") != std::string_view::npos) ||
         may_be_decoded(text);
}

// Linux's and Xen's, lower case, sorted.
constexpr std::array kRegisterNames = {
    "cpsr"sv,    "cr0"sv,       "cr2"sv,       "cr3"sv,   "cr4"sv,       "cs"sv,        "dfar"sv,
    "dfsr"sv,    "dr0"sv,       "dr1"sv,       "dr2"sv,   "dr3"sv,       "dr6"sv,       "dr7"sv,
    "ds"sv,      "eax"sv,       "ebp"sv,       "ebx"sv,   "ecx"sv,       "edi"sv,       "edx"sv,
    "eflags"sv,  "eip"sv,       "elr_el1"sv,   "es"sv,    "esi"sv,       "esp"sv,       "esr_el1"sv,
    "esr_el2"sv, "far_el1"sv,   "far_el2"sv,   "fp"sv,    "fs"sv,        "fsb"sv,       "gs"sv,
    "gsb"sv,     "gss"sv,       "hcr_el2"sv,   "hdfar"sv, "hifar"sv,     "hpfar_el2"sv, "ifar"sv,
    "ifsr"sv,    "ip"sv,        "knlgs"sv,     "lr"sv,    "orig_eax"sv,  "orig_rax"sv,  "pc"sv,
    "pkru"sv,    "pmr"sv,       "pmr_save"sv,  "psr"sv,   "pstate"sv,    "r0"sv,        "r1"sv,
    "r10"sv,     "r11"sv,       "r12"sv,       "r13"sv,   "r14"sv,       "r15"sv,       "r2"sv,
    "r3"sv,      "r4"sv,        "r5"sv,        "r6"sv,    "r7"sv,        "r8"sv,        "r9"sv,
    "rax"sv,     "rbp"sv,       "rbx"sv,       "rcx"sv,   "rdi"sv,       "rdx"sv,       "rflags"sv,
    "rip"sv,     "rsi"sv,       "rsp"sv,       "sctlr"sv, "sctlr_el1"sv, "sctlr_el2"sv, "sp"sv,
    "sp_el0"sv,  "sp_el1"sv,    "spsr"sv,      "ss"sv,    "tcr"sv,       "tcr_el1"sv,   "ttbcr"sv,
    "ttbr0"sv,   "ttbr0_el1"sv, "ttbr0_el2"sv, "ttbr1"sv, "ttbr1_el1"sv, "vtcr_el2"sv,  "vttbr_el2"sv,
    "x0"sv,      "x1"sv,        "x10"sv,       "x11"sv,   "x12"sv,       "x13"sv,       "x14"sv,
    "x15"sv,     "x16"sv,       "x17"sv,       "x18"sv,   "x19"sv,       "x2"sv,        "x20"sv,
    "x21"sv,     "x22"sv,       "x23"sv,       "x24"sv,   "x25"sv,       "x26"sv,       "x27"sv,
    "x28"sv,     "x29"sv,       "x3"sv,        "x30"sv,   "x4"sv,        "x5"sv,        "x6"sv,
    "x7"sv,      "x8"sv,        "x9"sv,
};
static_assert(kRegisterNames.size() < 255);

/// A name in lower case; the longest of them has nine letters.
class LowerName {
 public:
  static constexpr std::size_t kLongest = 10;
  /// What `text` begins with that may be one; empty when that is too long.
  explicit LowerName(std::string_view text) {
    while (size_ < text.size() && (is_letter(text[size_]) || is_digit(text[size_]) || text[size_] == '_')) {
      if (size_ == kLongest) {
        size_ = 0;
        return;
      }
      const char c = text[size_];
      text_[size_++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, kLongest> text_{};
  std::size_t size_ = 0;
};

/// kRegisterNames by a hash: entry + 1, 0: free.
constexpr std::size_t kNameSlots = 512;
constexpr std::size_t name_slot(std::string_view name) {
  std::uint32_t hash = 0;
  for (const char c : name) {
    hash = hash * 31 + static_cast<unsigned char>(c);
  }
  return hash % kNameSlots;
}
constexpr std::array<std::uint8_t, kNameSlots> kNameTable = [] {
  std::array<std::uint8_t, kNameSlots> table{};
  for (std::size_t i = 0; i < kRegisterNames.size(); ++i) {
    std::size_t slot = name_slot(kRegisterNames[i]);
    while (table[slot] != 0) {
      slot = (slot + 1) % kNameSlots;
    }
    table[slot] = static_cast<std::uint8_t>(i + 1);
  }
  return table;
}();

bool is_register_name(std::string_view name) {
  for (std::size_t slot = name_slot(name); kNameTable[slot] != 0; slot = (slot + 1) % kNameSlots) {
    if (kRegisterNames[kNameTable[slot] - 1U] == name) {
      return true;
    }
  }
  return false;
}

constexpr std::array kBanks = {"usr"sv, "svc"sv, "abt"sv, "und"sv, "irq"sv, "fiq"sv, "hyp"sv};

/// A value: hexadecimal of two digits or more, bare, in "[<>]", or behind one segment ("0018:", "e033:[<>]").
std::optional<std::uint64_t> take_value(std::string_view& text) {
  std::string_view rest = text;
  std::optional<std::uint64_t> value;
  for (bool segment = true; segment;) {
    if (begins(rest, "[<")) {
      if (!take_bracketed(rest, value)) {
        return std::nullopt;
      }
      break;
    }
    (void)take(rest, "0x");
    const std::size_t before = rest.size();
    value = take_hex(rest, 2);
    segment = value && before - rest.size() == 4 && take(rest, ":");
  }
  if (!value ||
      (!rest.empty() && !is_blank(rest.front()) && rest.front() != '(' && rest.front() != '[' && rest.front() != ',')) {
    return std::nullopt;
  }
  text = rest;
  return value;
}

void add(Registers& out, std::string name, std::uint64_t value) {
  if (out.size() < kMostRegisters && !has_register(out, name)) {
    out.emplace_back(std::move(name), value);
  }
}

/// "NAME:" or "NAME :" at the front, taken; empty when it is not there.
LowerName take_name(std::string_view& text) {
  const LowerName name(text);
  const std::size_t n = name.view().size();
  std::string_view rest = text.substr(n);
  skip_blanks(rest);
  if (n < 2 || !take(rest, ":")) {
    return LowerName({});
  }
  text = rest;
  return name;
}

}  // namespace

void take_module(std::string_view& text, Frame& frame) {
  std::string_view rest = text;
  skip_blanks(rest);
  if (!take(rest, "[")) {
    return;
  }
  const std::size_t close = rest.substr(0, 128).find(']');
  if (close == std::string_view::npos || close == 0 || rest[0] == '<') {
    return;
  }
  const std::string_view inside = rest.substr(0, close);
  const std::size_t blank = std::min(inside.find(' '), inside.size());
  frame.module = std::string(inside.substr(0, blank));
  const std::string_view id = trimmed(inside.substr(blank));
  if (id.size() == 40 && std::ranges::all_of(id, [](char c) { return hex_value(c) >= 0; })) {
    frame.module_build_id = std::string(id);
  }
  text = rest.substr(close + 1);
}

bool take_symbol(std::string_view& text, Frame& frame) {
  std::size_t n = 0;
  std::size_t plus = 0;  // the last: names of C++ and Rust may hold one
  const std::size_t most = std::min(text.size(), kLongestName);
  for (; n < most && !ends_name(text[n]); ++n) {
    plus = text[n] == '+' ? n : plus;
  }
  if (plus == 0) {
    return false;
  }
  const std::string_view token = text.substr(0, n);
  std::string_view rest = token.substr(plus + 1);
  const auto offset = take_offset(rest);
  if (!offset || !take(rest, "/")) {
    return false;
  }
  const auto size = take_offset(rest);
  if (!size) {
    return false;
  }
  frame.symbol.assign(token.substr(0, plus));
  frame.offset = offset;
  frame.size = size;
  text.remove_prefix(n - rest.size());
  return true;
}

TraceLine parse_trace_line(std::string_view text, std::vector<Frame>& frames) {
  const bool indented = !text.empty() && is_blank(text.front());
  skip_blanks(text);
  if (text.size() < 5) {
    return {};
  }
  take_section(text);
  if (text.empty() || !may_be_frame(text, indented)) {
    return {};
  }
  if (text.front() == '[' || begins(text, "Function entered")) {
    if (const TraceLine line = parse_old_arm(text, frames); line.is_frame) {
      return line;
    }
  }
  Frame& frame = frames.emplace_back();  // made where it stays
  const bool bracketed = take_bracketed(text, frame.address);
  skip_blanks(text);
  frame.guess = take(text, "? ");
  if (take_symbol_or_address(text, frame)) {
    take_module(text, frame);
    skip_blanks(text);
    // " (C)", " (P)": where newer arm64 kernels have the frame from; nothing else follows a frame.
    if (!text.empty() && text.front() != '(' && !bracketed && !take_source(text, frame)) {
      frames.pop_back();
      return {};
    }
    return {true, false};
  }
  if (bracketed) {
    if (!frame.address) {
      frames.pop_back();
    }
    return {true, false};  // "[<          (null)>]           (null)"
  }
  if (may_be_decoded(text) && take_decoded(text, frame)) {
    return {true, false};
  }
  frames.pop_back();
  return parse_new_arm(text, frames, indented);
}

bool parse_xen_trace_line(std::string_view text, std::vector<Frame>& frames) {
  skip_blanks(text);
  if (text.empty() || text.front() != '[') {
    return false;
  }
  Frame frame;
  if (!take_bracketed(text, frame.address)) {
    return begins(text, "[Fault on access]");
  }
  skip_blanks(text);
  if (text.size() > 2 && text[1] == ' ' && (text[0] == 'R' || text[0] == 'S' || text[0] == 'F')) {
    frame.exact = text[0] == 'R';
    text.remove_prefix(2);
  }
  if (take_symbol(text, frame)) {
    take_module(text, frame);  // a live patch
    skip_blanks(text);
    frame.exact = frame.exact || begins(text, "(PC)");
  }
  frames.push_back(std::move(frame));
  return true;
}

bool has_register(const Registers& registers, std::string_view name) {
  // Most names differ in their last letter.
  return std::ranges::any_of(registers, [&](const auto& have) {
    return have.first.size() == name.size() && have.first.back() == name.back() && have.first == name;
  });
}

bool parse_register_line(std::string_view text, Registers& out) {
  skip_blanks(text);
  std::string bank;
  bool any = false;
  for (int i = 0; i < 12 && !text.empty(); ++i) {
    const LowerName taken = take_name(text);
    const std::string_view name = taken.view();
    if (name.empty()) {
      break;
    }
    skip_blanks(text);
    if (!any && bank.empty() && name.size() == 3 && std::ranges::find(kBanks, name) != kBanks.end()) {
      bank = "_" + std::string(name);
      continue;
    }
    if (!is_register_name(name)) {
      break;
    }
    const auto value = take_value(text);
    if (!value) {
      // "pc : name+0x1/0x2": the name is read elsewhere, the number is not there.
      any = any || name == "pc" || name == "lr" || name == "rip" || name == "eip";
      break;
    }
    any = true;
    add(out, std::string(name) + bank, *value);
    // "GS:ffff(0000)", "ESR_EL1: 00000000", ", IFSR:", "MODE:..."
    while (!text.empty() && !is_blank(text.front())) {
      text.remove_prefix(1);
    }
    skip_blanks(text);
  }
  return any;
}

unsigned parse_word_row(std::string_view text, std::vector<std::uint64_t>& out) {
  std::array<std::uint64_t, 16> words{};
  std::size_t count = 0;
  std::size_t digits = 0;
  skip_blanks(text);
  while (!text.empty() && count < words.size()) {
    const std::size_t before = text.size();
    const auto word = take_hex(text, 8);
    const std::size_t length = before - text.size();
    if (!word || (length != 8 && length != 16) || (digits != 0 && digits != length) ||
        (!text.empty() && !is_blank(text.front()))) {
      return 0;
    }
    digits = length;
    words[count++] = *word;
    skip_blanks(text);
  }
  if (count == 0 || !text.empty()) {
    return 0;
  }
  out.insert(out.end(), words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<unsigned>(digits / 2);
}

}  // namespace xstack::logs
