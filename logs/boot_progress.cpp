// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/boot_progress.h"

#include "logs/words.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kMostDomains = 256;
constexpr std::size_t kMostShown = 8;

/// What comes before any kernel: nobody puts a prefix before it.
std::optional<std::string_view> loader_stage(std::string_view text) {
  if (begins(text, "U-Boot SPL ") || begins(text, "U-Boot TPL ")) {
    return "U-Boot SPL";
  }
  if (begins(text, "U-Boot 2") || begins(text, "U-Boot v")) {
    return "U-Boot";
  }
  if (begins(text, "Starting kernel")) {
    return "U-Boot, which started the kernel";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> boot_stage(const Line& line) {
  const std::string_view text = line.text;
  if (line.origin.who == Origin::Who::xen) {
    if (begins(text, "Xen version ")) {
      return "Xen";
    }
    return begins(text, "*** LOADING DOM") ? std::optional<std::string_view>("Xen, which loads domain 0")
                                           : std::nullopt;
  }
  if (const auto stage = loader_stage(text)) {
    return stage;
  }
  if (begins(text, "Linux version ")) {
    return "Linux";
  }
  if (begins(text, "Freeing unused kernel ")) {
    return "Linux is up";
  }
  if (begins(text, "Run /")) {
    return "init";
  }
  if (text.ends_with(" login: ") || text.ends_with(" login:") || text.ends_with("(automatic login)")) {
    return "login";
  }
  return std::nullopt;
}

void BootProgress::note(const Line& line) {
  const auto stage = boot_stage(line);
  if (!stage) {
    return;
  }
  if (line.origin.who == Origin::Who::domain) {
    if (domains_.size() < kMostDomains || domains_.contains(line.origin.domain)) {
      domains_[line.origin.domain] = std::string(*stage);
    }
    return;
  }
  // Of the machine: a boot loader, or Xen anew, ends all guests.
  const bool loader = loader_stage(line.text).has_value();
  if (loader || *stage == "Xen") {
    domains_.clear();
    xen_ = false;
  }
  xen_ = xen_ || line.origin.who == Origin::Who::xen;
  kernel_ = !loader && line.origin.who == Origin::Who::console;
  machine_ = std::string(*stage);
}

std::string BootProgress::stage(const Origin& origin, std::optional<unsigned> about) const {
  const std::optional<unsigned> domain = origin.who == Origin::Who::domain ? std::optional(origin.domain) : about;
  const auto found = domain ? domains_.find(*domain) : domains_.end();
  return found != domains_.end() ? found->second : machine_;
}

std::string BootProgress::text() const {
  std::string out = machine_.empty() ? "" : (xen_ && kernel_ ? "domain 0: " : "") + machine_;
  std::size_t shown = 0;
  for (const auto& [domain, stage] : domains_) {
    if (++shown > kMostShown) {
      return out + "; and more";
    }
    out += (out.empty() ? "d" : "; d") + std::to_string(domain) + ": " + stage;
  }
  return out;
}

}  // namespace xstack::logs
