// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_config.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kconfig/ikconfig.h"
#include "linux/mapped_scan.h"

namespace xstack {
namespace {

constexpr std::uint64_t kImageBytes = 256ULL << 20;  // no kernel's image is larger
constexpr std::uint64_t kModuleBytes = 1ULL << 20;   // the module's text, and its read-only data beside it
constexpr std::uint64_t kHoleBytes = 16ULL << 20;    // between an image's text and its read-only data, at most
constexpr std::uint64_t kMaxRam = 256ULL << 30;
constexpr std::size_t kBlock = 4U << 20;

/// Searches mapped memory. The overlap is as much as a configuration can take, so none is cut.
std::optional<std::string> search_mapped(KernelSession& session, const ScanBounds& bounds) {
  std::vector<CpuState> cpus;
  for (const DecodedVcpu& vcpu : session.vcpus()) {
    if (vcpu.cpu) {
      cpus.push_back(*vcpu.cpu);
    }
  }
  PageProbe probe(session.guest().memory(), cpus, session.kernel()->kernel_translations());
  IkconfigFinder finder;
  std::optional<std::string> found;
  scan_mapped(probe, session.search(), bounds, IkconfigFinder::kMaxCompressed,
              [&](GuestVirt, std::span<const std::byte> bytes) {
                found = finder.find(bytes);
                return !found;
              });
  return found;
}

std::optional<FoundConfig> in_kernel(KernelSession& session) {
  Kernel* kernel = session.kernel();
  const auto start = kernel != nullptr ? kernel->kernel_start() : std::nullopt;
  const auto parsed = [](const std::optional<std::string>& text, const char* where) -> std::optional<FoundConfig> {
    auto config = text ? KernelConfig::parse(*text) : fail(Errc::not_found, "");
    return config ? std::optional(FoundConfig{std::move(*config), where}) : std::nullopt;
  };
  if (start) {
    const GuestVirt end = *start + kImageBytes < *start ? GuestVirt(~0ULL) : *start + kImageBytes;
    if (auto found = parsed(search_mapped(session, {*start, end, kImageBytes, kHoleBytes}),
                            "the kernel's IKCONFIG in its memory")) {
      return found;
    }
  }
  if (kernel == nullptr) {
    return std::nullopt;
  }
  for (const KernelModule& module : kernel->modules()) {
    if (module.name != "configs" || module.text_begin.value < kModuleBytes) {
      continue;
    }
    const GuestVirt begin = module.text_begin - kModuleBytes;
    if (auto found = parsed(
            search_mapped(session, {begin, module.text_begin + kModuleBytes, 2 * kModuleBytes, 2 * kModuleBytes}),
            "the module configs in the kernel's memory")) {
      return found;
    }
  }
  return std::nullopt;
}

/// All of physical memory. Copies of several kernels may lie in it (files that the guest has read): then nothing says
/// which is its own.
Result<FoundConfig> in_ram(Guest& guest) {
  IkconfigFinder finder;
  std::optional<std::string> found;
  std::vector<std::byte> block(kBlock + IkconfigFinder::kMaxCompressed);
  std::uint64_t total = 0;
  for (const FrameRange& range : guest.ram()) {
    const std::uint64_t frames = std::min(range.count, (kMaxRam - total) / kXenPageSize);
    const std::uint64_t bytes = frames * kXenPageSize;
    total += bytes;
    for (std::uint64_t at = 0; at < bytes; at += kBlock) {
      const std::size_t want = at_most(block.size(), bytes - at);
      bool any = false;
      for (std::size_t page = 0; page < want; page += kXenPageSize) {
        const auto part = std::span(block).subspan(page, std::min<std::size_t>(kXenPageSize, want - page));
        if (guest.memory().read(range.first + (at + page), part)) {
          any = true;
        } else {
          std::memset(part.data(), 0, part.size());
        }
      }
      auto text = any ? finder.find(std::span<const std::byte>(block).first(want)) : std::nullopt;
      if (text && found && *text != *found) {
        return fail(Errc::not_found,
                    "the guest's memory holds the configurations of several kernels, and the kernel "
                    "that runs was not found: which is its own is not known");
      }
      if (text) {
        found = std::move(text);
      }
    }
  }
  if (!found) {
    return fail(Errc::not_found,
                "no configuration in the guest's memory: its kernel has none (CONFIG_IKCONFIG is off, or "
                "is a module that is not loaded), or the pages are not there");
  }
  auto config = KernelConfig::parse(*found);
  return config ? Result<FoundConfig>(FoundConfig{std::move(*config), "a search of the guest's memory"})
                : tl::unexpected(config.error());
}

}  // namespace

Result<FoundConfig> read_config(Guest& guest, const KernelRequest& request) {
  auto session = KernelSession::open(guest, request);
  bool has_kernel = false;
  if (session && (*session)->look_round()) {
    if (auto found = in_kernel(**session)) {
      return std::move(*found);
    }
    has_kernel = (*session)->kernel()->kernel_start().has_value();
  }
  if (has_kernel) {
    return fail(Errc::not_found,
                "the guest's kernel holds no configuration: CONFIG_IKCONFIG is off, or is a module "
                "(configs) that is not loaded, or the pages are not there");
  }
  // The frames of an x86 PV guest are in no order: what is longer than a page lies scattered.
  if (guest.identity().type == GuestType::pv) {
    return fail(Errc::not_found, "the guest's kernel was not found, and so its configuration was not");
  }
  return in_ram(guest);
}

}  // namespace xstack
