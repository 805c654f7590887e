// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/machine_notes.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>

namespace xstack {
namespace {

constexpr std::size_t kMaxCpus = 16384;
constexpr std::size_t kMaxStatus = 4096;  // of the architectures known here the longest has 392 bytes
constexpr std::size_t kMaxVmcoreinfo = 65536;

}  // namespace

void read_machine_notes(std::span<const ElfNote> notes, FileGuestParts& out) {
  std::size_t qemu = 0;
  for (const ElfNote& note : notes) {
    if (note.vendor == "CORE" && note.type == NT_PRSTATUS && note.bytes.size() <= kMaxStatus) {
      if (out.vcpus.size() == kMaxCpus) {
        continue;
      }
      VcpuContext vcpu;
      vcpu.id = static_cast<unsigned>(out.vcpus.size());
      vcpu.form = ContextForm::prstatus;
      vcpu.context.assign(note.bytes.begin(), note.bytes.end());
      out.vcpus.push_back(std::move(vcpu));
    } else if (note.vendor == "QEMU" && note.type == 0 && note.bytes.size() <= kMaxStatus) {
      // One for each CPU, in the order of the others (dump/dump.c, write_elf64_notes).
      if (qemu < out.vcpus.size()) {
        out.vcpus[qemu++].hvm_record.assign(note.bytes.begin(), note.bytes.end());
      }
    } else if (note.vendor == "VMCOREINFO" && note.bytes.size() <= kMaxVmcoreinfo) {
      out.vmcoreinfo.emplace(reinterpret_cast<const char*>(note.bytes.data()), note.bytes.size());
    }
  }
  if (out.vcpus.empty()) {
    out.identity.lacks.emplace_back("registers");
  } else if (qemu == 0) {
    out.identity.lacks.emplace_back("control and system registers, and so the roots of page tables");
  }
}

std::optional<GuestType> guest_type_of(std::uint16_t elf_machine) {
  switch (elf_machine) {
    case EM_ARM:
    case EM_AARCH64:
      return GuestType::arm;
    case EM_386:
    case EM_X86_64:
      return GuestType::hvm;
    default:
      return std::nullopt;
  }
}

bool is_process_core(std::span<const ElfNote> notes) {
  return std::any_of(notes.begin(), notes.end(), [](const ElfNote& note) {
    return note.vendor == "CORE" && (note.type == NT_AUXV || note.type == NT_PRPSINFO || note.type == NT_SIGINFO);
  });
}

}  // namespace xstack
