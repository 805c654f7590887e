// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/console_lines.h"

#include <fmt/format.h>

#include <array>
#include <deque>
#include <string>

namespace xstack::xen {
namespace {

constexpr std::size_t kMaxLine = 400;
constexpr unsigned kMaxDump = 64;  // lines of registers and stack behind a crash
constexpr std::string_view kPrefix = "(XEN) ";

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Is `text`, which begins where a word does, followed by a word's end, or, with `vcpu`, by "v" and a number?
bool ends_well(std::string_view text, bool vcpu) {
  if (text.empty() || !is_word(text.front())) {
    return true;
  }
  if (!vcpu || text.size() < 2 || text[0] != 'v' || (!is_digit(text[1]) && text[1] != '?')) {
    return false;
  }
  std::size_t at = 1;
  while (at < text.size() && (is_digit(text[at]) || text[at] == '?')) {
    ++at;
  }
  return at == text.size() || !is_word(text[at]);
}

/// Does `line` have `name` as a word of its own?
bool names(std::string_view line, std::string_view name, bool vcpu) {
  for (std::size_t at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
    if ((at == 0 || !is_word(line[at - 1])) && ends_well(line.substr(at + name.size()), vcpu)) {
      return true;
    }
  }
  return false;
}

/// "HVM d4v0 save: MTRR" and the like (hvm_save() and hvm_load() of Xen, seen with 4.17): the toolstack read
/// or wrote a domain's state, a dozen lines whenever one is made. They tell nothing of the guest and would push out
/// what does.
bool is_bookkeeping(std::string_view line) {
  const std::size_t at = line.find("HVM d");
  return at != std::string_view::npos &&
         (line.find(" save: ", at) != std::string_view::npos || line.find(" restore: ", at) != std::string_view::npos);
}

}  // namespace

HypervisorLog lines_of_domain(std::string_view ring, std::uint32_t domid) {
  const std::string short_name = fmt::format("d{}", domid);
  const std::array<std::string, 4> long_names = {fmt::format("Domain {}", domid), fmt::format("domain {}", domid),
                                                 fmt::format("Dom{}", domid), fmt::format("DOM{}", domid)};
  const auto is_ours = [&](std::string_view line) {
    bool ours = names(line, short_name, true);
    for (const std::string& name : long_names) {
      ours = ours || names(line, name, false);
    }
    return ours;
  };
  std::deque<std::string_view> kept;
  std::uint64_t count = 0;
  unsigned dump = 0;  // lines of a crash that may follow
  while (!ring.empty()) {
    const std::size_t end = ring.find('\n');
    std::string_view line = ring.substr(0, end);
    ring.remove_prefix(end == std::string_view::npos ? ring.size() : end + 1);
    while (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    if (!line.starts_with(kPrefix)) {
      dump = 0;
      continue;
    }
    const std::string_view text = line.substr(kPrefix.size());
    const bool ours = is_ours(text);
    if (ours && is_bookkeeping(text)) {
      dump = 0;
      continue;
    }
    if (ours) {
      dump = text.find(" crashed") != std::string_view::npos ? kMaxDump : dump;
    } else if (dump == 0 || text.starts_with("d") || text.find("omain ") != std::string_view::npos) {
      dump = 0;
      continue;
    } else {
      --dump;
    }
    ++count;
    kept.push_back(line.substr(0, kMaxLine));
    if (kept.size() > kLinesKept) {
      kept.pop_front();
    }
  }
  HypervisorLog log;
  for (const std::string_view line : kept) {
    log.lines.emplace_back(line);
  }
  log.older = count - kept.size();
  return log;
}

}  // namespace xstack::xen
