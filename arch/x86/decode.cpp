// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "arch/x86/context.h"
#include "arch/x86/paging.h"
#include "arch/x86/prstatus.h"
#include "arch/x86/registers.h"
#include "arch/x86/x86.h"

namespace xstack::x86 {
namespace {

constexpr std::uint64_t kCr0ProtectionEnabled = 1;
constexpr std::uint64_t kCr0Paging = 1ULL << 31;
constexpr std::uint64_t kCr4Pse = 1U << 4;
constexpr std::uint64_t kCr4Pae = 1U << 5;
constexpr std::uint64_t kCr4La57 = 1U << 12;
constexpr std::uint64_t kFlagsVm = 1U << 17;
constexpr std::uint16_t kPvUserCs32 = 0xe023;  // FLAT_RING3_CS32, public/arch-x86/xen-x86_64.h

/// Registers wherever they came from: Xen's context and, when there is one, the save record, with the record's values
/// in the context's place; or a core's NT_PRSTATUS, and QEMU's note.
struct Source {
  Context context;
  std::optional<HvmRecord> record;
  std::optional<QemuState> qemu;
  bool control = true;  ///< control registers are known
  bool debug = true;    ///< debug registers are known
  bool bases = true;    ///< `context` has the bases of FS and both GS
};

Result<Source> parse_core(const VcpuContext& vcpu) {
  auto context = parse_prstatus(vcpu.context);
  if (!context) {
    return tl::unexpected(context.error());
  }
  Source out{*context, std::nullopt, parse_qemu_state(vcpu.hvm_record), false, false, false};
  if (out.qemu) {
    out.control = true;
    std::copy(out.qemu->cr.begin(), out.qemu->cr.end(), out.context.ctrlreg.begin());
  }
  return out;
}

Result<Source> parse_record(const VcpuContext& vcpu) {
  auto context = context_of_hvm_record(vcpu.context);
  if (!context) {
    return tl::unexpected(context.error());
  }
  return Source{*context, parse_hvm_record(vcpu.context), std::nullopt, true, true, false};
}

Result<Source> parse(const GuestIdentity& guest, const VcpuContext& vcpu) {
  if (vcpu.form == ContextForm::prstatus) {
    return parse_core(vcpu);
  }
  if (vcpu.form == ContextForm::hvm_record) {
    return parse_record(vcpu);
  }
  auto context = parse_context(guest.type, vcpu.context);
  if (!context) {
    return tl::unexpected(context.error());
  }
  Source out{*context, std::nullopt, std::nullopt};
  if (guest.type == GuestType::hvm) {
    out.record = parse_hvm_record(vcpu.hvm_record);
    if (out.record) {
      out.context.ctrlreg[0] = out.record->cr0;
      out.context.ctrlreg[2] = out.record->cr2;
      out.context.ctrlreg[3] = out.record->cr3;
      out.context.ctrlreg[4] = out.record->cr4;
    }
  }
  return out;
}

/// Mode text and user flag.
void decode_mode(const GuestIdentity& guest, const Source& from, bool kernel_is_64bit, CpuState& cpu) {
  if (guest.type == GuestType::pv) {
    cpu.user = !from.context.in_kernel();
    cpu.mode = cpu.user ? "PV user" : "PV kernel";
    if (kernel_is_64bit && from.context.cs == kPvUserCs32) {
      cpu.mode += ", 32-bit code segment";
    }
    return;
  }
  if (from.control && (from.context.ctrlreg[0] & kCr0ProtectionEnabled) == 0) {
    cpu.mode = "real mode";
    return;
  }
  const bool long_mode = from.record ? from.record->long_mode() : !from.control && kernel_is_64bit;
  if ((from.context.rflags & kFlagsVm) != 0 && !long_mode) {
    cpu.mode = "virtual-8086";
    cpu.user = true;
    return;
  }
  const unsigned ring = from.record ? from.record->cpl() : from.context.cs & 3U;
  cpu.user = ring == 3;
  cpu.mode = fmt::format("ring {}", ring);
  if (!from.record) {
    return;
  }
  const bool narrow = kernel_is_64bit ? !from.record->code_is_64bit() : !from.record->code_is_32bit();
  if (narrow) {
    cpu.mode += from.record->code_is_32bit() ? ", 32-bit code segment" : ", 16-bit code segment";
  }
}

Paging hvm_paging(const Source& from, bool kernel_is_64bit) {
  const auto& cr = from.context.ctrlreg;
  Paging paging;
  if ((cr[0] & kCr0Paging) == 0) {
    return paging;
  }
  // EFER is in the save record only. Without it a kernel's own width decides, which is right once it has booted.
  const bool long_mode = from.record ? from.record->long_mode() : kernel_is_64bit;
  if ((cr[4] & kCr4Pae) == 0) {
    paging.mode = PagingMode::two;
    paging.large_pages = (cr[4] & kCr4Pse) != 0;
  } else if (!long_mode) {
    paging.mode = PagingMode::pae;
  } else {
    paging.mode = (cr[4] & kCr4La57) != 0 ? PagingMode::five : PagingMode::four;
  }
  paging.root = root_of_cr3(paging.mode, cr[3]);
  return paging;
}

void add_translations(const GuestIdentity& guest, const Source& from, bool kernel_is_64bit, CpuState& cpu) {
  if (!from.control) {
    cpu.notes.emplace_back("control registers are not known: an NT_PRSTATUS note does not hold them");
    return;
  }
  const auto& cr = from.context.ctrlreg;
  const auto add = [&](Paging paging) { cpu.translations.push_back(std::make_shared<PageTables>(paging)); };
  if (guest.type == GuestType::pv) {
    if (from.context.compat) {
      add({PagingMode::pae, root_of_folded_cr3(static_cast<std::uint32_t>(cr[3]))});
      return;
    }
    // ctrlreg[3] is the kernel's root also while user code runs on ctrlreg[1], and maps user memory too.
    add({PagingMode::four, root_of_cr3(PagingMode::four, cr[3])});
    if (cr[1] != 0) {
      add({PagingMode::four, root_of_cr3(PagingMode::four, cr[1])});
    }
    return;
  }
  const Paging paging = hvm_paging(from, kernel_is_64bit);
  add(paging);
  cpu.mmu_on = paging.mode != PagingMode::off;
  const bool long_mode = paging.mode == PagingMode::four || paging.mode == PagingMode::five;
  if (long_mode && (paging.root.value & 0x1000) != 0) {
    cpu.translations.push_back(std::make_shared<IsolatedKernelTables>(paging.mode, paging.root));
  }
}

/// Bases of segments that come as the processor has them: GS is the kernel's in kernel mode, and the other of the two
/// is in MSR_KERNEL_GS_BASE (the instruction swapgs exchanges them).
void set_bases(const Source& from, CpuState& cpu) {
  std::optional<std::uint64_t> gs;
  std::optional<std::uint64_t> other;
  if (from.qemu) {
    cpu.regs.set(kFsBase, from.qemu->fs_base);
    cpu.regs.set(kIdtrBase, from.qemu->idtr_base);
    cpu.regs.set(kGdtrBase, from.qemu->gdtr_base);
    cpu.regs.set(kTrBase, from.qemu->tr_base);
    gs = from.qemu->gs_base;
    other = from.qemu->kernel_gs_base;
  } else if (from.record && !from.bases) {
    gs = from.record->gs_base;
    other = from.record->shadow_gs;
  }
  if (cpu.user) {
    std::swap(gs, other);
  }
  if (gs) {
    cpu.regs.set(kGsBaseKernel, *gs);
  }
  if (other) {
    cpu.regs.set(kGsBaseUser, *other);
  }
}

}  // namespace

Result<CpuState> decode64(const GuestIdentity& guest, const VcpuContext& vcpu) {
  const auto from = parse(guest, vcpu);
  if (!from) {
    return tl::unexpected(from.error());
  }
  const Context& c = from->context;
  CpuState cpu;
  cpu.arch = &x86_64_ops();
  RegisterFile& regs = cpu.regs;
  for (RegisterIndex i = kRax; i <= kR15; ++i) {
    regs.set(i, c.general[i]);
  }
  regs.set(kRip, c.rip);
  regs.set(kRflags, c.rflags);
  regs.set(kCs, c.cs);
  regs.set(kSs, c.ss);
  regs.set(kDs, c.ds);
  regs.set(kEs, c.es);
  regs.set(kFs, c.fs);
  regs.set(kGs, c.gs);
  if (!c.compat && from->bases) {
    regs.set(kFsBase, c.fs_base);
    regs.set(kGsBaseKernel, c.gs_base_kernel);
    regs.set(kGsBaseUser, c.gs_base_user);
  }
  if (from->control) {
    regs.set(kCr0, c.ctrlreg[0]);
    regs.set(kCr2, c.ctrlreg[2]);
    regs.set(kCr3, c.ctrlreg[3]);
    regs.set(kCr4, c.ctrlreg[4]);
  }
  if (guest.type == GuestType::pv && !c.compat && c.ctrlreg[1] != 0) {
    regs.set(kCr3User, c.ctrlreg[1]);
  }
  if (from->debug) {
    for (RegisterIndex i = 0; i < 4; ++i) {
      regs.set(static_cast<RegisterIndex>(kDr0 + i), c.debugreg[i]);
    }
    regs.set(kDr6, c.debugreg[6]);
    regs.set(kDr7, c.debugreg[7]);
  }
  if (from->record) {
    const HvmRecord& r = *from->record;
    regs.set(kEfer, r.efer);
    regs.set(kFsBase, r.fs_base);
    regs.set(kLstar, r.lstar);
    regs.set(kIdtrBase, r.idtr_base);
    regs.set(kGdtrBase, r.gdtr_base);
    regs.set(kTrBase, r.tr_base);
  }
  decode_mode(guest, *from, true, cpu);
  set_bases(*from, cpu);
  add_translations(guest, *from, true, cpu);
  return cpu;
}

Result<CpuState> decode32(const GuestIdentity& guest, const VcpuContext& vcpu) {
  const auto from = parse(guest, vcpu);
  if (!from) {
    return tl::unexpected(from.error());
  }
  const Context& c = from->context;
  CpuState cpu;
  cpu.arch = &x86_32_ops();
  RegisterFile& regs = cpu.regs;
  const auto set = [&regs](RegisterIndex index, std::uint64_t value) { regs.set(index, value & 0xffff'ffff); };
  for (RegisterIndex i = kEax; i <= kEsp; ++i) {
    set(i, c.general[i]);
  }
  set(kEip, c.rip);
  set(kEflags, c.rflags);
  set(kCs32, c.cs);
  set(kSs32, c.ss);
  set(kDs32, c.ds);
  set(kEs32, c.es);
  set(kFs32, c.fs);
  set(kGs32, c.gs);
  if (from->control) {
    set(kCr0x32, c.ctrlreg[0]);
    set(kCr2x32, c.ctrlreg[2]);
    set(kCr3x32, c.ctrlreg[3]);
    set(kCr4x32, c.ctrlreg[4]);
  }
  if (from->debug) {
    for (RegisterIndex i = 0; i < 4; ++i) {
      set(static_cast<RegisterIndex>(kDr0x32 + i), c.debugreg[i]);
    }
    set(kDr6x32, c.debugreg[6]);
    set(kDr7x32, c.debugreg[7]);
  }
  if (from->qemu) {
    set(kIdtrBase32, from->qemu->idtr_base);
    set(kGdtrBase32, from->qemu->gdtr_base);
    set(kTrBase32, from->qemu->tr_base);
  }
  if (from->record) {
    set(kEferx32, from->record->efer);
    set(kIdtrBase32, from->record->idtr_base);
    set(kGdtrBase32, from->record->gdtr_base);
    set(kTrBase32, from->record->tr_base);
  }
  decode_mode(guest, *from, false, cpu);
  add_translations(guest, *from, false, cpu);
  return cpu;
}

std::shared_ptr<const Translation> with_root(const CpuState& cpu, GuestPhys root) {
  if (cpu.table_form) {
    return translation_of(*cpu.table_form, root);
  }
  Paging paging{cpu.arch->word_size == 8 ? PagingMode::four : PagingMode::pae, root};
  for (const auto& known : cpu.translations) {
    const auto* tables = dynamic_cast<const PageTables*>(known.get());
    if (tables != nullptr && tables->paging().mode != PagingMode::off) {
      paging = tables->paging();
      paging.root = root;
      break;
    }
  }
  return std::make_shared<PageTables>(paging);
}

std::span<const TableForm> table_forms64() {
  static constexpr std::array<TableForm, 2> kForms = {{{4}, {5}}};
  return kForms;
}

std::span<const TableForm> table_forms32() {
  static constexpr std::array<TableForm, 2> kForms = {{{3}, {2}}};
  return kForms;
}

std::shared_ptr<const Translation> translation_of(const TableForm& form, GuestPhys root) {
  static constexpr std::array kModes = {PagingMode::two, PagingMode::pae, PagingMode::four, PagingMode::five};
  return std::make_shared<PageTables>(Paging{kModes.at(std::clamp(form.levels, 2U, 5U) - 2), root});
}

}  // namespace xstack::x86
