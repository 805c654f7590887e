// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/dump_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "linux/float_state.h"
#include "linux/task_list.h"
#include "vmcore/pseudo_physical.h"
#include "vmcore/write.h"

namespace xstack {
namespace {

/// The address where a kernel's half of the address space begins, for page walks; on 32-bit architectures some way
/// below its code, where ARM keeps modules.
GuestVirt kernel_half(GuestType type, const ArchOps& arch,
                      std::span<const std::shared_ptr<const Translation>> translations, PhysMemory& memory,
                      std::optional<GuestVirt> kernel_start) {
  if (arch.word_size == 4) {
    constexpr std::uint64_t kSplit = 0x10000000;  // every VMSPLIT is a multiple of it
    constexpr std::uint64_t kModules = 0x01000000;
    const std::uint64_t split = kernel_start.value_or(GuestVirt(0xc0000000)).value & ~(kSplit - 1);
    return GuestVirt(split > kModules ? split - kModules : 0);
  }
  if (type == GuestType::pv) {
    return GuestVirt(0xffff880000000000);  // below it is Xen's part: HYPERVISOR_VIRT_END, public/arch-x86/xen-x86_64.h
  }
  // The widest half that the tables know of: a page walk refuses addresses outside it.
  const unsigned widest = arch.id == ArchId::arm64 ? 52 : 56;
  for (unsigned bits = widest; bits > 30; --bits) {
    const GuestVirt first(~std::uint64_t{0} << bits);
    for (const auto& translation : translations) {
      const auto found = translation->walk(memory, first);
      if (found || found.error().kind != FaultKind::out_of_range) {
        return first;
      }
    }
  }
  return GuestVirt(~std::uint64_t{0} << 47);
}

KernelMap kernel_map(KernelSession& session, PhysMemory& memory) {
  // The kernel's own tables where they are known, else those of a vCPU, which have the kernel's half as well.
  std::vector<std::shared_ptr<const Translation>> translations;
  if (session.kernel() != nullptr) {
    translations = session.kernel()->kernel_translations();
  }
  for (const DecodedVcpu& vcpu : session.vcpus()) {
    if (vcpu.cpu && vcpu.cpu->mmu_on && translations.size() < 4) {
      translations.insert(translations.end(), vcpu.cpu->translations.begin(), vcpu.cpu->translations.end());
    }
  }
  if (translations.empty()) {
    return {};
  }
  const auto start = session.kernel() != nullptr ? session.kernel()->kernel_start() : std::nullopt;
  const GuestVirt first = kernel_half(session.guest().identity().type, session.arch(), translations, memory, start);
  const GuestVirt last(session.arch().word_size == 4 ? 0xffffffff : ~std::uint64_t{0});
  KernelMapLimits limits;
  if (session.guest().identity().type == GuestType::pv) {
    limits.runs = 1U << 22;  // machine frames are in no order: each page may be a run of its own
  }
  return map_kernel(memory, translations, first, last, limits);
}

/// Where a PV kernel's direct map begins: page_offset_base says so where the kernel has that variable
/// (CONFIG_RANDOMIZE_ MEMORY, 4.8 on); else __PAGE_OFFSET_BASE_L4 (4.20 on) or what it was before.
std::optional<GuestVirt> direct_map_of(KernelSession& session, PhysMemory& memory) {
  std::vector<std::uint64_t> candidates;
  if (const auto at = session.kernel()->code().address_of("page_offset_base")) {
    if (const auto value = session.memory().read_word(*at, 8)) {
      candidates.push_back(*value);
    }
  }
  candidates.insert(candidates.end(), {0xffff888000000000, 0xffff880000000000});
  for (const std::uint64_t candidate : candidates) {
    for (const auto& translation : session.translations(session.vcpus(), 0)) {
      if (candidate >> 47 == 0x1ffff && translation->walk(memory, GuestVirt(candidate))) {
        return GuestVirt(candidate);
      }
    }
  }
  return std::nullopt;
}

std::vector<FrameRange> frames_of(Guest& guest) {
  const auto ram = guest.ram();
  // A file knows what it has; of a domain Xen only says where memory may be.
  return guest.identity().source == "live" ? present_frames(guest.memory(), ram) : ram;
}

/// Memory that remembers which frames were read: of a page walk, those are its tables.
class Recorder final : public PhysMemory {
 public:
  Recorder(PhysMemory& below, std::set<std::uint64_t>& frames) : below_(below), frames_(frames) {}

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override {
    const std::uint64_t frame = at.value / kXenPageSize;
    if (frame != last_ && frames_.size() < kMost) {
      frames_.insert(frame);
      last_ = frame;
    }
    return below_.read_some(at, out);
  }

 private:
  static constexpr std::size_t kMost = 1U << 20;  // tables of 2 TiB
  PhysMemory& below_;
  std::set<std::uint64_t>& frames_;
  std::uint64_t last_ = ~std::uint64_t{0};
};

/// Adds the frames of stacks: of what each vCPU is on, and of every task; and the tables of each vCPU, as far as they
/// lead there. What tasks hold of floating point and vector registers is to be blank.
void add_stacks(KernelSession& session, const std::vector<DecodedVcpu>& vcpus, std::set<std::uint64_t>& frames,
                DumpMemory& out) {
  PhysMemory& memory = session.guest().memory();
  Recorder recorder(memory, frames);
  const auto add = [&](std::span<const std::shared_ptr<const Translation>> translations, GuestVirt at) {
    for (const auto& translation : translations) {
      if (const auto found = translation->walk(recorder, at)) {
        frames.insert(found->phys.value / kXenPageSize);
        return;
      }
    }
  };
  const std::uint64_t stack_size = session.arch().stack_size;
  for (std::size_t i = 0; i < vcpus.size(); ++i) {
    if (!vcpus[i].cpu) {
      continue;
    }
    const auto translations = session.translations(vcpus, i);
    if (const auto start = session.kernel()->kernel_start()) {
      for (const auto& translation : vcpus[i].cpu->translations) {
        static_cast<void>(translation->walk(recorder, *start));
      }
    }
    const auto sp = vcpus[i].cpu->regs.get(session.arch().sp);
    if (sp && !vcpus[i].cpu->user) {
      for (std::uint64_t done = 0; done < stack_size; done += kXenPageSize) {
        add(translations, GuestVirt((*sp & ~(stack_size - 1)) + done));
      }
    }
  }
  const TaskLayout* layout = session.kernel()->task_layout();
  if (layout == nullptr) {
    out.warnings.push_back(
        "stacks of tasks that do not run may be missing, and their floating point registers are in the dump: " +
        session.kernel()->no_task_layout());
    return;
  }
  const auto translations = session.translations(vcpus, 0);
  std::optional<FloatLayout> where;
  if (const auto header = session.kernel()->code().address_of("__start_BTF")) {
    static constexpr std::array<std::string_view, 1> kTask{"task_struct"};
    const auto btf = Btf::open(session.search(), *header, session.arch().word_size, kTask);
    where = btf ? float_layout_of_btf(*btf) : std::nullopt;
  }
  bool unknown = false;
  for (const KernelTask& task : read_tasks(session.search(), *layout, session.arch().word_size).tasks) {
    const auto floats = float_state_of(session.search(), *layout, session.arch().id, where, task);
    unknown = unknown || !floats;
    for (std::uint64_t done = 0; floats && done < floats->bytes;) {
      const GuestVirt at = floats->at + done;
      const std::uint64_t piece = std::min(floats->bytes - done, kXenPageSize - at.value % kXenPageSize);
      for (const auto& translation : translations) {
        if (const auto found = translation->walk(memory, at)) {
          out.blanks.push_back({found->phys, piece});
          break;
        }
      }
      done += piece;
    }
    for (std::uint64_t done = 0; task.stack.value != 0 && done < layout->stack_size; done += kXenPageSize) {
      add(translations, task.stack + done);
    }
  }
  if (unknown) {
    out.warnings.emplace_back("floating point registers of tasks are in the dump: it is not known where they are");
  }
}

Result<PageCounts> leave_out(KernelSession& session, const std::vector<DecodedVcpu>& vcpus, KeepPages keep,
                             std::set<std::uint64_t> own, std::optional<std::uint64_t> first_unnumbered,
                             DumpMemory& out) {
  const auto& info = session.kernel()->vmcoreinfo();
  if (!info) {
    return fail(Errc::not_found, "no VMCOREINFO in the guest, which says where the descriptors of its pages are");
  }
  auto descriptors = PageDescriptors::find(*info, session.search(), session.arch().word_size);
  if (!descriptors) {
    return tl::unexpected(descriptors.error());
  }
  const auto text = info->symbol("_stext");
  constexpr std::uint64_t kCode = 1U << 20;  // every kernel has more of it
  if (!text || out.map.runs.empty()) {
    return fail(Errc::not_found, "neither the kernel's code nor its page tables were found");
  }
  if (auto ok = check_descriptors(*descriptors, out.map, *text, kCode); !ok) {
    return tl::unexpected(ok.error());
  }
  if (keep == KeepPages::redacted) {
    add_stacks(session, vcpus, own, out);
  }
  const PageFilter filter{.keep = keep, .map = &out.map, .own = &own, .first_unnumbered = first_unnumbered};
  return filter_pages(*descriptors, filter, out.kept);
}

}  // namespace

Result<DumpMemory> plan_memory(KernelSession& session, const std::vector<DecodedVcpu>& vcpus, KeepPages keep) {
  Guest& guest = session.guest();
  DumpMemory out;
  auto frames = frames_of(guest);
  if (frames.empty()) {
    return fail(Errc::not_found, "no memory of the guest can be read: there is nothing to dump");
  }
  std::set<std::uint64_t> tables;
  Recorder recorder(guest.memory(), tables);
  out.map = kernel_map(session, keep == KeepPages::redacted ? static_cast<PhysMemory&>(recorder) : guest.memory());
  out.kept.numbered = frames;
  out.kept.frames = std::move(frames);
  std::optional<std::uint64_t> first_unnumbered;
  if (guest.identity().type == GuestType::pv) {
    if (const auto direct_map = direct_map_of(session, guest.memory())) {
      PseudoPhysical pseudo = number_as_kernel(out.map, *direct_map, out.kept.frames);
      out.kept = {.numbered = std::move(pseudo.present), .frames = std::move(pseudo.machine)};
      out.table = std::move(pseudo.table);
      out.map = std::move(pseudo.map);
      first_unnumbered = pseudo.numbered_end;
    } else {
      if (keep != KeepPages::all) {
        return fail(Errc::not_found, "the kernel's direct map was not found, which says which page is which");
      }
      out.warnings.emplace_back("the kernel's direct map was not found: physical addresses in the dump are Xen's");
    }
  }
  out.present = out.kept.numbered;
  if (keep != KeepPages::all) {
    const auto counts = leave_out(session, vcpus, keep, std::move(tables), first_unnumbered, out);
    if (!counts) {
      return fail(keep == KeepPages::redacted ? "a redacted dump is not possible" : "--kernel-only is not possible",
                  counts.error());
    }
    out.counts = *counts;
  }
  return out;
}

}  // namespace xstack
