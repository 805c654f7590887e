// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/vcpu_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/endian.h"
#include "guest/xen/domain.h"

namespace xstack::xen {
namespace {

/// A buffer that the library writes a structure of unknown length to. What it did not write still shows a pattern that
/// no structure holds by chance.
class Poisoned {
 public:
  Poisoned() {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      bytes_[i] = pattern(i);
    }
  }
  std::byte* data() { return bytes_.data(); }
  [[nodiscard]] std::span<const std::byte> first(std::size_t size) const { return std::span(bytes_).first(size); }
  /// Whether the eight bytes from `at` on were left alone.
  [[nodiscard]] bool untouched(std::size_t at) const {
    for (std::size_t i = at; i < at + 8; ++i) {
      if (bytes_[i] != pattern(i)) {
        return false;
      }
    }
    return true;
  }

 private:
  static std::byte pattern(std::size_t i) { return std::byte((i * 151 + (i >> 3) * 89 + 0x5b) & 0xff); }
  alignas(16) std::array<std::byte, 16384> bytes_;
};

/// The length of the context that was written, when it is one of those known.
std::optional<std::size_t> context_size(const Poisoned& buffer, GuestType type) {
  if (type == GuestType::arm) {
    if (!buffer.untouched(kArmContext)) {
      return std::nullopt;
    }
    return buffer.untouched(kArmContextOld) ? kArmContextOld : kArmContext;
  }
  return buffer.untouched(kX86Context64) ? std::optional(kX86Context64) : std::nullopt;
}

}  // namespace

VcpuReader::VcpuReader(const Host& host, std::uint32_t domid, GuestType type)
    : host_(host), domid_(domid), type_(type) {
  unsigned width = 0;
  if (type == GuestType::pv && host.call().get_guest_width != nullptr &&
      host.call().get_guest_width(host.interface(), domid, &width) == 0) {
    pv32_ = width == 4;
  }
}

Result<VcpuContext> VcpuReader::read(std::uint32_t id) const {
  VcpuContext out;
  out.id = id;
  Poisoned buffer;
  const auto& call = host_.call();
  if (call.vcpu_getcontext(host_.interface(), domid_, id, buffer.data()) != 0) {
    const int error = errno;
    if (error == ENODATA) {
      out.presence = VcpuPresence::never_up;
      return out;
    }
    const auto still = find_domain(host_, domid_);
    if (still && !*still) {
      return fail(Errc::vanished, fmt::format("domain {} is gone", domid_));
    }
    out.presence = VcpuPresence::unavailable;
    out.why = fmt::format("Xen does not give its registers: {}", std::strerror(error));
    return out;
  }
  const auto size = context_size(buffer, type_);
  if (!size) {
    out.presence = VcpuPresence::unavailable;
    out.why = "Xen gives its registers in a form that xstack does not know";
    return out;
  }
  const auto context = buffer.first(pv32_ ? kX86Context32 : *size);
  out.context.assign(context.begin(), context.end());
  const bool online = type_ == GuestType::arm
                          ? (load_le<std::uint32_t>(context.data()) & kArmOnline) != 0
                          : (load_le<std::uint32_t>(context.data() + kX86FlagsOffset) & kX86Online) != 0;
  out.presence = online ? VcpuPresence::online : VcpuPresence::offline;
  if (type_ == GuestType::hvm && call.hvm_getcontext_partial != nullptr) {
    Poisoned record;
    // Refused for vCPUs that are offline; the context then has to do.
    if (call.hvm_getcontext_partial(host_.interface(), domid_, kHvmSaveCpu, static_cast<std::uint16_t>(id),
                                    record.data(), kHvmCpuRecord) == 0) {
      const auto bytes = record.first(kHvmCpuRecord);
      out.hvm_record.assign(bytes.begin(), bytes.end());
    }
  }
  return out;
}

}  // namespace xstack::xen
