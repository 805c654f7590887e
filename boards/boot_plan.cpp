// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/boot_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/checked.h"
#include "base/text.h"
#include "boards/compare_tree.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kAlign = 2 * kMiB;  // of what has no fixed place: a block of Xen's and Linux's page tables
constexpr std::uint64_t kRoom = kMiB;       // what U-Boot's layout leaves for a script and a device tree each
// Of files that are not here. Larger ones are not refused at boot, they are not checked.
constexpr std::uint64_t kXenBytes = 2 * kMiB;  // Xen 4.17: text, data and bss within 2 MiB (arm32/head.S)
constexpr std::uint64_t kKernelBytes = 16 * kMiB;
constexpr std::uint64_t kInitrdBytes = 64 * kMiB;
// What a tree grows by at boot: CONFIG_SYS_FDT_PAD, and the nodes of /chosen.
constexpr std::uint64_t kTreeGrows = 64U << 10;
// Xen's heap: at least 32 MiB, aligned to as much, from the top (xen/arch/arm/arm32/mmu/mm.c, setup_mm()).
constexpr std::uint64_t kXenHeap = 32 * kMiB;
// Dom0's first block, aligned to its size (xen/arch/arm/domain_build.c, allocate_memory_11(), min_low_order).
constexpr std::uint64_t kFirstBank = 128 * kMiB;
constexpr std::uint64_t kDefaultDom0 = 512 * kMiB;
constexpr std::uint64_t kLeastDom0 = 32 * kMiB;
constexpr std::uint64_t kMaxAddress = 1ULL << 48;  // no machine has RAM beyond it

std::string shown(const Area& area) {
  return fmt::format("{} ({:#x}-{:#x})", area.what, area.begin, area.end);
}

Area area_of(const BootItem& item) {
  return {item.address, item.address + item.bytes, item.what};
}

/// Why this kind of file cannot be what it should be, if it cannot.
std::optional<std::string> unfit(const BootFile& file, const std::string& arch, const char* what) {
  if (!file.image) {
    return std::nullopt;
  }
  const BootFileKind kind = file.image->kind;
  const BootFileKind wanted = arch == "arm64" ? BootFileKind::image : BootFileKind::zimage;
  if (kind == wanted) {
    return std::nullopt;
  }
  return fmt::format("{}: is {}; {} on this board is {}", file.name, to_string(kind), what, to_string(wanted));
}

/// Names and command lines go into a script between single quotes, and into a device tree: what has a meaning there is
/// refused. U-Boot's `fdt set` takes 1024 bytes (cmd/fdt.c, SCRATCHPAD).
Result<void> check_text(const std::string& text, const char* what, bool name) {
  constexpr std::size_t kLongest = 1000;
  for (const unsigned char c : text) {
    if (c < 0x20 || c >= 0x7f || c == '\'' || c == '\\' || (name && (c == ' ' || c == '$' || c == '"' || c == ';'))) {
      return fail(Errc::bad_format,
                  fmt::format("{}: '{}' has a character that cannot stand in a boot script", what, escape(text)));
    }
  }
  return text.size() <= kLongest && !(name && text.empty())
             ? Result<void>()
             : fail(Errc::bad_format, fmt::format("{}: is {}", what, text.empty() ? "empty" : "too long"));
}

/// The planner: takes what is fixed, then finds room for the rest, lowest first.
class Planner {
 public:
  Planner(const Board& board, const BootRequest& request) : board_(board), request_(request) {}

  Result<BootPlan> make() {
    plan_.board = board_.name;
    arch_ = board_.text("soc.arch").value_or("");
    plan_.arm64 = arch_ == "arm64";
    Result<void> ok = check_texts();
    ok = ok ? check_images() : ok;
    ok = ok ? find_ram() : ok;
    ok = ok ? keep() : ok;
    ok = ok ? place() : ok;
    ok = ok ? command_lines() : ok;
    if (!ok) {
      return tl::unexpected(ok.error());
    }
    measure_room(plan_.xen);
    measure_room(plan_.tree);
    measure_room(plan_.kernel);
    if (plan_.initrd) {
      measure_room(*plan_.initrd);
    }
    look_at_tree();
    return std::move(plan_);
  }

 private:
  [[nodiscard]] Result<void> check_texts() const {
    Result<void> ok = check_text(request_.xen.name, "--xen", true);
    ok = ok ? check_text(request_.dom0.name, "--dom0", true) : ok;
    ok = ok && request_.initrd ? check_text(request_.initrd->name, "--initrd", true) : ok;
    ok = ok && request_.dtb_name ? check_text(*request_.dtb_name, "--dtb", true) : ok;
    ok = ok ? check_text(request_.dom0_bootargs, "--bootargs", false) : ok;
    return ok ? check_text(request_.xen_bootargs, "--xen-bootargs", false) : ok;
  }

  [[nodiscard]] Result<void> check_images() const {
    for (const auto& [file, what] : {std::pair(&request_.xen, "Xen"), std::pair(&request_.dom0, "dom0's kernel")}) {
      if (auto why = unfit(*file, arch_, what)) {
        return fail(Errc::bad_format, std::move(*why));
      }
    }
    return {};
  }

  [[nodiscard]] Result<std::uint64_t> need(const char* key) const {
    const auto value = board_.number(key);
    return value ? Result<std::uint64_t>(*value)
                 : fail(Errc::not_found, fmt::format("the board {} does not say {}", board_.name, key));
  }

  Result<void> find_ram() {
    const auto base = need("ram.base");
    if (!base) {
      return tl::unexpected(base.error());
    }
    const auto sizes = board_.numbers("ram.sizes");
    std::uint64_t size = 0;
    const auto in_tree = request_.tree != nullptr ? request_.tree->memory() : std::vector<Area>{};
    const auto bank =
        std::ranges::find_if(in_tree, [&](const Area& area) { return area.begin <= *base && *base < area.end; });
    if (request_.ram) {
      size = *request_.ram;
      plan_.ram_why = "as --ram says";
    } else if (bank != in_tree.end()) {
      size = bank->end - *base;
      plan_.ram_why = "as the device tree says";
    } else if (!sizes.empty()) {
      size = *std::ranges::min_element(sizes);
      plan_.ram_why = sizes.size() == 1 ? "as the board is sold" : "the smallest the board is sold with";
    } else if (const auto least = board_.number("uboot.min_ram")) {
      size = *least;
      plan_.ram_why = "the least that U-Boot expects; how much the board has is not known, --ram says it";
    } else {
      return fail(Errc::not_found, fmt::format("how much RAM {} has is not known: --ram says it", board_.name));
    }
    const auto end = checked_add(*base, size);
    const auto most = board_.number("ram.max");
    if (!end || *end > kMaxAddress || size == 0 || (most && size > *most)) {
      return fail(Errc::too_large, fmt::format("{} of RAM at {:#x}: this board has {} at most", format_size(size),
                                               *base, format_size(most.value_or(kMaxAddress))));
    }
    if (in_tree.empty() && request_.tree != nullptr) {
      plan_.warnings.emplace_back("the device tree has no memory node: U-Boot writes one at boot");
    }
    plan_.ram = {*base, *end, "RAM"};
    return {};
  }

  /// What must stay free, with its reason.
  Result<void> keep() {
    const auto add = [&](std::uint64_t begin, std::uint64_t bytes, std::string what) {
      const auto end = checked_add(begin, bytes);
      plan_.kept.push_back({begin, end.value_or(~0ULL), std::move(what)});
    };
    if (const auto own = board_.number("uboot.own_size"); own && *own < plan_.ram.end - plan_.ram.begin) {
      add(plan_.ram.end - *own, *own, "U-Boot itself, its heap and its stack");
    }
    if (const auto script = board_.number("uboot.scriptaddr")) {
      add(*script, kRoom, "this script while it runs");
    }
    const std::uint64_t tree = request_.tree != nullptr ? request_.tree->size() + kTreeGrows : 0;
    tree_room_ = std::max(kRoom, (tree + kMiB - 1) / kMiB * kMiB);
    if (const auto window = board_.number("uboot.bootm_size")) {
      const auto end = checked_add(plan_.ram.begin, *window);
      if (end && *window > tree_room_) {
        add(*end - tree_room_, tree_room_, "where bootz moves the device tree");
      }
    }
    if (request_.tree != nullptr) {
      for (Area& area : request_.tree->reserved()) {
        plan_.kept.push_back({area.begin, area.end, "reserved by the device tree: " + area.what});
      }
    }
    return {};
  }

  /// Something is put there, or the reason why it cannot be.
  Result<void> take(const BootItem& item) {
    const auto end = checked_add(item.address, item.bytes);
    if (!end || item.address < plan_.ram.begin || *end > plan_.ram.end) {
      return fail(Errc::too_large,
                  fmt::format("{} ({:#x}, {:#x} bytes) is not inside of RAM ({:#x}-{:#x}, {})", item.what, item.address,
                              item.bytes, plan_.ram.begin, plan_.ram.end, plan_.ram_why));
    }
    const Area area = area_of(item);
    for (const auto* areas : {&plan_.kept, &taken_}) {
      for (const Area& other : *areas) {
        if (overlap(area, other)) {
          return fail(Errc::bad_format, fmt::format("{} overlaps {}", shown(area), shown(other)));
        }
      }
    }
    taken_.push_back(area);
    return {};
  }

  /// The lowest place above Xen where `item` fits.
  Result<void> find_room(BootItem& item) {
    std::uint64_t at = (plan_.xen.address + kAlign - 1) / kAlign * kAlign;
    // Each round moves past one of finitely many areas.
    for (std::size_t round = 0; round <= plan_.kept.size() + taken_.size(); ++round) {
      const auto end = checked_add(at, item.bytes);
      if (!end || *end > plan_.ram.end) {
        break;
      }
      const Area here{at, *end, {}};
      std::uint64_t next = at;
      for (const auto* areas : {&plan_.kept, &taken_}) {
        for (const Area& other : *areas) {
          if (overlap(here, other)) {
            next = std::max(next, other.end);
          }
        }
      }
      if (next == at) {
        item.address = at;
        return take(item);
      }
      if (next > plan_.ram.end) {
        break;
      }
      at = (next + kAlign - 1) / kAlign * kAlign;
    }
    return fail(Errc::too_large, fmt::format("there is no room for {} ({:#x} bytes) in RAM ({:#x}-{:#x}, {})",
                                             item.what, item.bytes, plan_.ram.begin, plan_.ram.end, plan_.ram_why));
  }

  static BootItem item(const char* what, const BootFile& file, std::uint64_t assumed) {
    BootItem out;
    out.what = what;
    out.name = file.name;
    out.assumed = !file.image;
    out.bytes = file.image ? std::max<std::uint64_t>(file.image->memory_bytes, 1) : assumed;
    out.file_bytes = file.image ? file.image->file_bytes : assumed;
    return out;
  }

  Result<void> place() {
    const auto xen = need("boot.xen");
    const auto dtb = need("boot.dtb");
    if (!xen || !dtb) {
      return tl::unexpected(xen ? dtb.error() : xen.error());
    }
    plan_.xen = item("Xen", request_.xen, kXenBytes);
    plan_.xen.address = *xen;
    plan_.tree.what = "device tree";
    plan_.tree.name = request_.dtb_name.value_or(board_.text("dom0.dtb").value_or(""));
    if (auto ok = plan_.tree.name.empty() ? Result<void>() : check_text(plan_.tree.name, "dom0.dtb", true); !ok) {
      return ok;
    }
    plan_.tree.address = *dtb;
    plan_.tree.bytes = tree_room_;
    plan_.tree.file_bytes = request_.tree != nullptr ? request_.tree->size() : 0;
    plan_.tree.assumed = request_.tree == nullptr;
    plan_.kernel = item("dom0's kernel", request_.dom0, kKernelBytes);
    if (request_.initrd) {
      plan_.initrd = item("dom0's initrd", *request_.initrd, kInitrdBytes);
    }
    Result<void> ok = take(plan_.xen);
    ok = ok ? take(plan_.tree) : ok;
    ok = ok ? put(plan_.kernel, "boot.dom0_kernel") : ok;
    return ok && plan_.initrd ? put(*plan_.initrd, "boot.dom0_ramdisk") : ok;
  }

  Result<void> put(BootItem& what, const char* key) {
    if (const auto fixed = board_.number(key)) {
      what.address = *fixed;
      return take(what);
    }
    return find_room(what);
  }

  Result<void> command_lines() {
    const std::uint64_t ram = plan_.ram.end - plan_.ram.begin;
    const std::uint64_t dom0 = request_.dom0_mem ? *request_.dom0_mem : default_dom0(ram);
    if (dom0 >= ram) {
      return fail(Errc::too_large,
                  fmt::format("dom0_mem={}: RAM is {} ({})", format_size(dom0), format_size(ram), plan_.ram_why));
    }
    plan_.xen_bootargs =
        fmt::format("{} dom0_mem={}{}{}", board_.text("xen.console").value_or("console=dtuart"), format_size(dom0),
                    request_.xen_bootargs.empty() ? "" : " ", request_.xen_bootargs);
    for (const std::string& argument : board_.texts("dom0.bootargs")) {
      plan_.dom0_bootargs += fmt::format("{}{}", plan_.dom0_bootargs.empty() ? "" : " ", argument);
    }
    plan_.dom0_bootargs += fmt::format("{}{}", request_.dom0_bootargs.empty() ? "" : " ", request_.dom0_bootargs);
    // The profile's part of them is a file's too.
    for (const auto& [line, what] :
         {std::pair(&plan_.xen_bootargs, "xen.console"), std::pair(&plan_.dom0_bootargs, "dom0.bootargs")}) {
      if (auto ok = check_text(*line, what, false); !ok) {
        return ok;
      }
    }
    for (const std::string& line : board_.texts("xen.early_printk")) {
      plan_.console += fmt::format("{}{}", plan_.console.empty() ? "" : ", ", line);
    }
    if (arch_ == "arm32" && !has_first_bank(std::min(dom0, kFirstBank))) {
      plan_.warnings.push_back(fmt::format(
          "Xen needs one free block of {}, aligned to its size, for a 32-bit dom0, and none is left between what is "
          "loaded: it would stop with \"Unable to allocate first memory bank\"",
          format_size(std::bit_ceil(std::min(dom0, kFirstBank)))));
    }
    return {};
  }

  void measure_room(BootItem& item) const {
    std::uint64_t next = plan_.ram.end;
    for (const auto* areas : {&plan_.kept, &taken_}) {
      for (const Area& other : *areas) {
        if (other.begin > item.address) {
          next = std::min(next, other.begin);
        }
      }
    }
    item.room = next - item.address;
  }

  /// At most half of RAM, and so much that its first block can be had.
  [[nodiscard]] std::uint64_t default_dom0(std::uint64_t ram) const {
    std::uint64_t dom0 = std::min(kDefaultDom0, ram / 2);
    while (dom0 > kLeastDom0 && !has_first_bank(std::min(dom0, kFirstBank))) {
      dom0 /= 2;
    }
    return dom0;
  }

  /// Is there a block of that size, rounded up to a power of two, aligned to itself, beside all that is loaded and
  /// Xen's heap at the end of RAM?
  [[nodiscard]] bool has_first_bank(std::uint64_t bytes) const {
    const std::uint64_t block = std::bit_ceil(std::max(bytes, kMiB));
    const std::uint64_t top = plan_.ram.end / kXenHeap * kXenHeap;
    const std::uint64_t end = top > kXenHeap ? top - kXenHeap : 0;
    for (std::uint64_t at = (plan_.ram.begin + block - 1) / block * block; at + block <= end; at += block) {
      const Area here{at, at + block, {}};
      if (std::ranges::none_of(taken_, [&](const Area& other) { return overlap(here, other); })) {
        return true;
      }
    }
    return false;
  }

  /// What the tree says against the profile, and what its /chosen needs.
  void look_at_tree() {
    if (request_.tree == nullptr) {
      return;
    }
    for (const TreeComparison& one : compare_tree(board_, *request_.tree)) {
      if (!one.agrees) {
        plan_.warnings.push_back(fmt::format("{} is {} in the profile, {} in the device tree", one.key, one.board,
                                             one.tree.empty() ? "not there" : one.tree));
      }
    }
    const auto hidden = board_.text("uart.alias");
    if (hidden && !request_.tree->text("/aliases", hidden->c_str())) {
      plan_.warnings.push_back(fmt::format("the device tree has no alias {}: Xen would find no console", *hidden));
    }
    const auto cells = [&](const char* property) -> std::uint64_t {
      const auto found = request_.tree->cells("/chosen", property);
      return found.size() == 1 && found.front() == 2 ? 2 : 1;
    };
    plan_.address_cells = cells("#address-cells");
    plan_.size_cells = cells("#size-cells");
    if (!request_.tree->has("/chosen")) {
      plan_.make_chosen = true;
      plan_.warnings.emplace_back("the device tree has no /chosen: the script makes it");
    }
  }

  const Board& board_;
  const BootRequest& request_;
  std::string arch_;
  std::uint64_t tree_room_ = kRoom;
  BootPlan plan_;
  std::vector<Area> taken_;
};

}  // namespace

Result<BootPlan> make_boot_plan(const Board& board, const BootRequest& request) {
  return Planner(board, request).make();
}

}  // namespace xstack
