// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "guest/guest.h"
#include "tests/support/fake_memory.h"

namespace xstack::test {

/// A guest of nothing but memory.
class MemoryGuest final : public Guest {
 public:
  [[nodiscard]] const GuestIdentity& identity() const override { return who; }
  [[nodiscard]] Result<std::vector<VcpuContext>> vcpus() override { return std::vector<VcpuContext>{}; }
  [[nodiscard]] PhysMemory& memory() override { return physical; }
  [[nodiscard]] std::vector<FrameRange> ram() override { return ranges; }
  [[nodiscard]] Result<std::unique_ptr<PauseGuard>> pause() override {
    return fail(Errc::unsupported, "a test's guest is not paused");
  }
  [[nodiscard]] const std::map<std::string, std::string>& facts() const override { return known; }
  [[nodiscard]] const std::vector<std::string>& warnings() const override { return said; }

  FakePhys physical;
  std::vector<FrameRange> ranges;
  GuestIdentity who;
  std::map<std::string, std::string> known;
  std::vector<std::string> said;
};

}  // namespace xstack::test
