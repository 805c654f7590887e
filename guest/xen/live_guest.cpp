// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/live_guest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/endian.h"
#include "base/text.h"
#include "guest/hypervisor_log.h"
#include "guest/xen/console_lines.h"
#include "guest/xen/domain.h"
#include "guest/xen/foreign_memory.h"
#include "guest/xen/pause.h"
#include "guest/xen/ram_map.h"
#include "guest/xen/vcpu_context.h"

namespace xstack::xen {
namespace {

class LiveGuest final : public Guest, public HypervisorLogSource {
 public:
  LiveGuest(std::shared_ptr<Host> host, const DomainInfo& info)
      : host_(std::move(host)), info_(info), memory_(host_, info.domid, info.state.run == RunState::dying) {
    identity_.source = "live";
    identity_.name = domain_name(*host_, info.domid);
    identity_.domid = info.domid;
    identity_.uuid = info.uuid;
    identity_.state = info.state;
    read_version();
    const std::string caps = identity_.capabilities.value_or(std::string());
#if defined(__arm__) || defined(__aarch64__)
    const bool arm = true;
#else
    const bool arm = caps.find("aarch64") != std::string::npos || caps.find("armv7") != std::string::npos;
#endif
    identity_.type = arm ? GuestType::arm : (info.hvm ? GuestType::hvm : GuestType::pv);
  }

  [[nodiscard]] const GuestIdentity& identity() const override {
    return identity_;
  }
  [[nodiscard]] PhysMemory& memory() override {
    return memory_;
  }
  [[nodiscard]] const std::map<std::string, std::string>& facts() const override {
    return facts_;
  }
  [[nodiscard]] std::optional<std::uint64_t> pages_mapped() const override {
    return memory_.pages_mapped();
  }
  [[nodiscard]] const std::vector<std::string>& warnings() const override {
    return warnings_;
  }
  [[nodiscard]] std::optional<Error> lost() const override {
    if (memory_.vanished()) {
      return gone();
    }
    // Of one that is just being destroyed, part of the memory could still be read.
    const auto now = find_domain(*host_, info_.domid);
    const bool there = !now || (*now && (*now)->uuid == info_.uuid &&
                                ((*now)->state.run != RunState::dying || info_.state.run == RunState::dying));
    return there ? std::nullopt : std::optional(gone());
  }

  [[nodiscard]] Result<std::vector<VcpuContext>> vcpus() override {
    const auto info = refresh();
    if (!info) {
      return tl::unexpected(info.error());
    }
    std::vector<VcpuContext> all;
    if (!info->max_vcpu_id) {
      return all;
    }
    // Xen has 8192 vCPUs at most (MAX_VIRT_CPUS of PV guests).
    const std::uint32_t last = std::min<std::uint32_t>(*info->max_vcpu_id, 8191);
    const VcpuReader reader(*host_, info_.domid, identity_.type);
    for (std::uint32_t id = 0; id <= last; ++id) {
      auto vcpu = reader.read(id);
      if (!vcpu) {
        return tl::unexpected(gone());
      }
      all.push_back(std::move(*vcpu));
    }
    return all;
  }

  [[nodiscard]] std::vector<FrameRange> ram() override {
    Pfn last = 0;
    if (host_->call().domain_maximum_gpfn(host_->interface(), info_.domid, &last) != 0) {
      return {};
    }
    const auto pages = std::max(info_.tot_pages, info_.max_pages);
    switch (identity_.type) {
      case GuestType::arm:
        return arm_ram(last);
      case GuestType::hvm:
        return hvm_ram(last, pages);
      case GuestType::pv:
        break;
    }
    return pv_ram(memory_, info_.shared_info_frame);
  }

  [[nodiscard]] Result<std::unique_ptr<PauseGuard>> pause() override {
    const auto info = refresh();
    if (!info) {
      return tl::unexpected(info.error());
    }
    // Nothing runs in these, and a pause of ours could only do harm.
    if (info->state.run != RunState::running && info->state.run != RunState::blocked) {
      return no_pause();
    }
    return pause_domain(host_, info_.domid);
  }

  [[nodiscard]] Result<HypervisorLog> hypervisor_log() override {
    const auto& call = host_->call();
    if (call.read_console_ring == nullptr) {
      return fail(Errc::no_access, "libxenctrl has no xc_readconsolering");
    }
    std::string ring;
    std::uint32_t index = 0;
    for (unsigned piece = 0; piece < kMaxRingPieces; ++piece) {
      std::vector<char> bytes(kRingPiece);
      auto count = static_cast<unsigned>(bytes.size());
      if (call.read_console_ring(host_->interface(), bytes.data(), &count, 0, piece == 0 ? 0 : 1, &index) != 0) {
        return fail(errno == EPERM || errno == EACCES ? Errc::no_access : Errc::io,
                    fmt::format("Xen's console ring cannot be read: {}", std::strerror(errno)));
      }
      const std::size_t got = std::min<std::size_t>(count, bytes.size());
      ring.append(bytes.data(), got);
      if (got < bytes.size()) {
        break;
      }
    }
    HypervisorLog log = lines_of_domain(ring, info_.domid);
    log.source = fmt::format(
        "Xen's console ring, lines that name domain {}; Xen gives a number again only after 32752 domains, but a line "
        "does "
        "not say which domain of that number it is about",
        info_.domid);
    return log;
  }

 private:
  static constexpr std::size_t kRingPiece = 64U << 10;
  static constexpr unsigned kMaxRingPieces = 64;  ///< 4 MiB: conring_size is 16 KiB to 1 MiB mostly

  [[nodiscard]] Error gone() const {
    return {Errc::vanished, fmt::format("domain {} is gone: it went away while it was read", info_.domid)};
  }

  /// What Xen says now. The state in identity() stays what it was when xstack came.
  Result<DomainInfo> refresh() {
    const auto info = find_domain(*host_, info_.domid);
    if (!info) {
      return tl::unexpected(info.error());
    }
    if (!*info || (*info)->uuid != info_.uuid) {
      return tl::unexpected(gone());
    }
    return **info;
  }

  void read_version() {
    const auto& call = host_->call();
    const int number = call.version(host_->interface(), kVersionNumber, nullptr);
    if (number > 0) {
      std::array<char, 64> extra{};
      if (call.version(host_->interface(), kVersionExtra, extra.data()) < 0) {
        extra[0] = '\0';
      }
      extra.back() = '\0';
      identity_.xen_version = fmt::format("{}.{}{}", number >> 16, number & 0xffff, extra.data());
    }
    std::vector<char> caps(2048);
    if (call.version(host_->interface(), kVersionCapabilities, caps.data()) >= 0) {
      caps.back() = '\0';
      std::string text(caps.data());
      text.erase(text.find_last_not_of(' ') + 1);
      identity_.capabilities = text;
    }
  }

  std::shared_ptr<Host> host_;
  DomainInfo info_;
  GuestIdentity identity_;
  ForeignMemory memory_;
  std::map<std::string, std::string> facts_;
  std::vector<std::string> warnings_;
};

}  // namespace

Result<std::unique_ptr<Guest>> open_live_guest(std::shared_ptr<Host> host, const std::string& domain) {
  const auto info = resolve_domain(*host, domain);
  if (!info) {
    return tl::unexpected(info.error());
  }
  if (info->domid == 0) {
    return fail(Errc::unsupported, "domain 0 is where xstack runs: it cannot be paused and read from within");
  }
  return std::make_unique<LiveGuest>(std::move(host), *info);
}

}  // namespace xstack::xen
