// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/arch.h"
#include "guest/memory.h"
#include "remote/description.h"

namespace xstack::remote {

/// What a debugger sees as a thread: a vCPU, or a task that no vCPU runs.
struct Thread {
  std::uint32_t id = 1;  ///< from 1; the protocol takes 0 for "any"
  std::string name;      ///< the guest's text, unescaped
  RegisterFile regs;
  VirtMemory* memory = nullptr;  ///< as its page tables have it
};

/// A guest as a debugger may look at it. Nothing here changes while it looks.
struct Target {
  const ArchOps* arch = nullptr;
  std::vector<Thread> threads;  ///< at least one
  std::optional<std::uint64_t> kaslr_offset;
};

/// One session of the GDB remote serial protocol with a guest that is only read: answers what can be read, and refuses
/// what would change something. Knows nothing of sockets.
class Server {
 public:
  explicit Server(const Target& target);

  /// The reply to one packet; empty, as the protocol has it, for what is not understood. Nothing: no reply at all.
  [[nodiscard]] std::optional<std::string> reply(std::string_view packet);

  [[nodiscard]] bool ended() const { return ended_; }  ///< the debugger detached, or killed what it thinks it has
  [[nodiscard]] bool acks() const { return acks_; }    ///< false after QStartNoAckMode

 private:
  [[nodiscard]] std::string query(std::string_view packet);
  [[nodiscard]] std::string transfer(std::string_view arguments) const;
  [[nodiscard]] std::string read_memory(std::string_view arguments) const;
  [[nodiscard]] std::string select(std::string_view arguments);
  [[nodiscard]] std::string thread_list() const;
  [[nodiscard]] std::string thread_xml() const;
  [[nodiscard]] const Thread* find(std::string_view id) const;

  const Target& target_;
  Description description_;
  std::size_t selected_ = 0;  ///< position of the thread that g, p and m are about
  bool ended_ = false;
  bool acks_ = true;
};

}  // namespace xstack::remote
