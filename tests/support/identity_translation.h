// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "arch/translation.h"

namespace xstack::test {

/// Virtual is physical, where `mapped` says so.
class IdentityTranslation final : public Translation {
 public:
  explicit IdentityTranslation(std::function<bool(std::uint64_t)> mapped) : mapped_(std::move(mapped)) {}

  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory&, GuestVirt va) const override {
    if (!mapped_(va.value)) {
      return tl::unexpected(Fault{FaultKind::unmapped, va.value});
    }
    return Mapping{GuestPhys(va.value), kXenPageSize - va.value % kXenPageSize, kXenPageSize, 1};
  }
  [[nodiscard]] std::string describe() const override { return "identity"; }

 private:
  std::function<bool(std::uint64_t)> mapped_;
};

}  // namespace xstack::test
