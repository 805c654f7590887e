// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "guest/memory.h"

namespace xstack {

/// How Xen runs the guest: decides what a frame number in a page table means and which registers exist.
enum class GuestType : std::uint8_t { arm, pv, hvm };

/// What Xen says of the domain, or what was written down when the dump was taken.
enum class RunState : std::uint8_t { running, blocked, paused, shutdown, crashed, dying };

[[nodiscard]] const char* to_string(RunState state);

/// Domain state and, when it is shut down, why (SHUTDOWN_* of xen/include/public/sched.h).
struct DomainState {
  RunState run = RunState::running;
  std::optional<unsigned> shutdown_code;  ///< 0 poweroff, 1 reboot, 2 suspend, 3 crash, 4 watchdog, 5 soft_reset
  bool paused_by_toolstack = false;       ///< was paused before xstack came, and stays so
};

/// "crash", "reboot", ... for a SHUTDOWN_* code; "unknown (N)" for others.
[[nodiscard]] std::string shutdown_reason(unsigned code);

/// Who the guest is. Absent is unknown, never empty or zero. Strings are the toolstack's or the dump's: escape to show.
struct GuestIdentity {
  /// Where all this comes from: "live", "dump-core", "capture", "dump" (xstack's own), "vmcore", "kdump", "xl save",
  /// "raw memory".
  std::string source;
  std::optional<std::string> format;  ///< the file's format in more words: "ELF64 core, as QEMU's dump-guest-memory"
  std::vector<std::string> lacks;     ///< what this format, or this file of it, does not hold
  std::optional<std::string> name;
  std::optional<std::uint32_t> domid;
  std::optional<std::string> uuid;
  GuestType type = GuestType::hvm;
  bool type_told = true;  ///< false: the file is not Xen's, and `type` only says how to read page tables and registers
  std::optional<DomainState> state;
  std::optional<std::string> xen_version;  ///< "4.17.5"
  std::optional<std::string>
      capabilities;  ///< xen_caps: "xen-3.0-aarch64 xen-3.0-armv7l"; names the host's architecture
};

/// Whether a vCPU's registers were to be had.
enum class VcpuPresence : std::uint8_t {
  online,
  offline,     ///< brought up once, taken down since: its registers are what it went down with
  never_up,    ///< never initialised (Xen answers -ENODATA): no registers exist
  unavailable  ///< Xen would not give the registers; `why` says so
};

/// What the bytes of a vCPU's registers are.
enum class ContextForm : std::uint8_t {
  xen,         ///< `struct vcpu_guest_context` (public/arch-arm.h or arch-x86/xen.h)
  prstatus,    ///< Linux's `struct elf_prstatus`, whose size tells the architecture: no control registers
  hvm_record,  ///< `struct hvm_hw_cpu` (public/arch-x86/hvm/save.h) alone
};

/// One vCPU as Xen or a dump gives it, undecoded.
struct VcpuContext {
  unsigned id = 0;
  VcpuPresence presence = VcpuPresence::online;
  ContextForm form = ContextForm::xen;
  std::vector<std::byte> context;  ///< empty unless online or offline
  /// x86, beside `xen`: `struct hvm_hw_cpu` (HVM_SAVE_CODE(CPU)) when Xen gave it; beside `prstatus`: QEMU's
  /// `QEMUCPUState` (target/i386/arch_dump.c) when the file has it; else empty.
  std::vector<std::byte> hvm_record;
  std::string why;  ///< for `unavailable`
};

/// `count` frames of kXenPageSize from `first`, in the address space that PhysMemory reads.
struct FrameRange {
  GuestPhys first;
  std::uint64_t count = 0;
};

/// Pauses a guest for as long as it lives and undoes that on every way out. Files have nothing to pause.
class PauseGuard {
 public:
  virtual ~PauseGuard() = default;
  /// Ends the pause now. Returns its length in microseconds; nothing when the guest was not paused by us.
  virtual std::optional<std::uint64_t> release() = 0;
};

/// What a guest is to everyone else: vCPU registers, physical memory, and what is known of it. Live domains, dumps and
/// captures all yield this, and are the same from here on.
class Guest {
 public:
  Guest() = default;
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  virtual ~Guest() = default;

  [[nodiscard]] virtual const GuestIdentity& identity() const = 0;

  /// Registers of every vCPU, ascending id. For a live domain: as of now; take them inside a pause to have one moment.
  [[nodiscard]] virtual Result<std::vector<VcpuContext>> vcpus() = 0;

  /// Physical memory. Read-only by construction; lives as long as the guest.
  [[nodiscard]] virtual PhysMemory& memory() = 0;

  /// Where memory may be read, ascending and disjoint. A frame in it can still be absent. For searching all of memory.
  [[nodiscard]] virtual std::vector<FrameRange> ram() = 0;

  /// Stops the guest so that registers and stacks are of one moment. Nothing to do (a dump, a domain that is crashed,
  /// shut down or paused already) is not an error: the guard then does nothing.
  [[nodiscard]] virtual Result<std::unique_ptr<PauseGuard>> pause() = 0;

  /// Facts that a capture carries so that its replay need not search what it did not keep (key -> text); empty else.
  [[nodiscard]] virtual const std::map<std::string, std::string>& facts() const = 0;

  /// The text of VMCOREINFO when the input brought it along apart from the guest's memory.
  [[nodiscard]] virtual std::optional<std::string> vmcoreinfo() const { return std::nullopt; }

  /// What is missing of the input itself, when it was cut short or damaged: one line. Whatever is found in it then is a
  /// partial answer.
  [[nodiscard]] virtual std::optional<std::string> cut_short() const { return std::nullopt; }

  /// Pages of guest memory mapped so far (a live domain), or nothing where mapping is not what happens.
  [[nodiscard]] virtual std::optional<std::uint64_t> pages_mapped() const { return std::nullopt; }

  /// Why the guest cannot be read any more, once that is so: a live domain that vanished meanwhile.
  [[nodiscard]] virtual std::optional<Error> lost() const { return std::nullopt; }

  /// What the opener wants people to know: "every page of this dump-core file is absent" and the like.
  [[nodiscard]] virtual const std::vector<std::string>& warnings() const = 0;
};

}  // namespace xstack
