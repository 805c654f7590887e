// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "boards/boot_plan.h"

namespace xstack {
namespace {

/// What `fdt resize` adds: the nodes and command lines of /chosen.
constexpr unsigned kTreeGrows = 0x10000;

/// A module of /chosen: xen/docs/misc/arm/device-tree/booting.txt. Xen 4.5 and later; 4.4 had other names.
struct Module {
  const BootItem* item;
  const char* kind;
};

std::vector<Module> modules(const BootPlan& plan) {
  std::vector<Module> out{{&plan.kernel, "multiboot,kernel"}};
  if (plan.initrd) {
    out.push_back({&*plan.initrd, "multiboot,ramdisk"});
  }
  return out;
}

/// `number`, already written, as so many cells. Nothing here is above 4 GiB where there is but one.
std::string cells(const std::string& number, std::uint64_t count) {
  return count == 2 ? "0x0 " + number : number;
}

std::string reg(const BootPlan& plan, std::uint64_t address, const std::string& bytes) {
  const std::string low = fmt::format("{:#x}", address & 0xffffffff);
  const std::string at =
      plan.address_cells == 2 ? fmt::format("{:#x} {}", address >> 32, low) : fmt::format("{:#x}", address);
  return fmt::format("<{} {}>", at, cells(bytes, plan.size_cells));
}

/// `# ` before each line, which may be foreign text.
std::string commented(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += fmt::format("# {}\n", escape_line(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

std::string memory_map(const BootPlan& plan) {
  struct Line {
    std::uint64_t begin;
    std::uint64_t end;
    std::string text;
  };
  std::vector<Line> lines;
  const auto add = [&](const BootItem& item) {
    lines.push_back({item.address, item.address + item.bytes,
                     fmt::format("{}{}{}{}", item.what, item.name.empty() ? "" : ": ", item.name,
                                 item.assumed ? " (not here to be measured: room for it)" : "")});
  };
  add(plan.xen);
  add(plan.tree);
  add(plan.kernel);
  if (plan.initrd) {
    add(*plan.initrd);
  }
  for (const Area& area : plan.kept) {
    lines.push_back({area.begin, area.end, "kept free: " + area.what});
  }
  std::ranges::sort(lines, {}, &Line::begin);
  std::string out = fmt::format("{:#010x}-{:#010x}  RAM, {}, {}\n", plan.ram.begin, plan.ram.end,
                                format_size(plan.ram.end - plan.ram.begin), plan.ram_why);
  for (const Line& line : lines) {
    out += fmt::format("{:#010x}-{:#010x}  {}\n", line.begin, line.end, line.text);
  }
  return out;
}

/// Loads one file to its place, and stops when it is not there or has outgrown its room.
std::string load(const BootItem& item) {
  std::string out = fmt::format("load ${{devtype}} ${{devnum}}:${{distro_bootpart}} {:#x} ${{prefix}}{} || exit\n",
                                item.address, item.name);
  out += fmt::format("if itest 0x${{filesize}} -gt {:#x}; then echo '{} does not fit at {:#x}'; exit; fi\n", item.room,
                     item.name, item.address);
  return out;
}

/// The device tree, at its place, with room to grow.
std::string load_tree(const BootPlan& plan) {
  const BootItem& tree = plan.tree;
  if (!tree.name.empty()) {
    return fmt::format("{}fdt addr {:#x} || exit\nfdt resize {:#x}\n", load(tree), tree.address, kTreeGrows);
  }
  // Linux has none for this board, or which board it is is not known: U-Boot's name for it, else U-Boot's own tree.
  return fmt::format(
      "if load ${{devtype}} ${{devnum}}:${{distro_bootpart}} {0:#x} ${{prefix}}${{fdtfile}}; then\n"
      "  fdt addr {0:#x} || exit\n"
      "  fdt resize {1:#x}\n"
      "else\n"
      "  fdt move ${{fdtcontroladdr}} {0:#x} {2:#x} || exit\n"
      "fi\n",
      tree.address, kTreeGrows, tree.bytes);
}

}  // namespace

std::string boot_nodes(const BootPlan& plan) {
  const auto quoted = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      out += c == '"' ? std::string("\\\"") : std::string(1, c);
    }
    return out;
  };
  std::string out = fmt::format(
      "/ {{\n\tchosen {{\n\t\t#address-cells = <{}>;\n\t\t#size-cells = <{}>;\n\t\txen,xen-bootargs = \"{}\";\n"
      "\t\txen,dom0-bootargs = \"{}\";\n",
      plan.address_cells, plan.size_cells, quoted(plan.xen_bootargs), quoted(plan.dom0_bootargs));
  for (const Module& module : modules(plan)) {
    out += fmt::format(
        "\n\t\tmodule@{:x} {{\n\t\t\tcompatible = \"{}\", \"multiboot,module\";\n\t\t\treg = {};{}\n\t\t}};\n",
        module.item->address, module.kind,
        reg(plan, module.item->address, fmt::format("{:#x}", module.item->file_bytes)),
        module.item->assumed ? "  /* the file is not here: its size goes there */" : "");
  }
  return out + "\t};\n};\n";
}

std::string boot_script(const BootPlan& plan) {
  std::string out =
      commented(fmt::format("Xen and dom0 on {}: a script for U-Boot.\n"
                            "mkimage -A {} -T script -C none -d boot.cmd boot.scr\n",
                            plan.board, plan.arm64 ? "arm64" : "arm"));
  out += "#\n" + commented(memory_map(plan));
  for (const std::string& warning : plan.warnings) {
    out += "#\n" + commented("warning: " + warning);
  }
  if (!plan.console.empty()) {
    out += "#\n" + commented("When Xen says nothing, build it with " + plan.console);
  }
  out += "#\n" + commented("What the commands below write into the device tree:\n\n" + boot_nodes(plan));
  // Run by hand (source), and not by U-Boot's own search: the first partition of the first card.
  out +=
      "\ntest -n \"${devtype}\" || setenv devtype mmc\n"
      "test -n \"${devnum}\" || setenv devnum 0\n"
      "test -n \"${distro_bootpart}\" || setenv distro_bootpart 1\n"
      "test -n \"${prefix}\" || setenv prefix /\n\n";
  out += load(plan.xen) + "\n" + load_tree(plan) + "\n";
  out += plan.make_chosen ? "fdt mknode / chosen\n" : "";
  out += fmt::format(
      "fdt set /chosen \\#address-cells <{:#x}>\n"
      "fdt set /chosen \\#size-cells <{:#x}>\n"
      "fdt set /chosen xen,xen-bootargs '{}'\n"
      "fdt set /chosen xen,dom0-bootargs '{}'\n\n",
      plan.address_cells, plan.size_cells, plan.xen_bootargs, plan.dom0_bootargs);
  for (const Module& module : modules(plan)) {
    const std::string node = fmt::format("/chosen/module@{:x}", module.item->address);
    out += load(*module.item);
    out += fmt::format(
        "fdt mknode /chosen module@{:x}\nfdt set {} compatible '{}' 'multiboot,module'\nfdt set {} reg {}\n\n",
        module.item->address, node, module.kind, node, reg(plan, module.item->address, "0x${filesize}"));
  }
  // Xen needs HYP mode: bootm_boot_mode=sec, should somebody have set it, would start it in secure SVC mode.
  out += plan.arm64 ? "" : "setenv bootm_boot_mode nonsec\n";
  out += fmt::format("{} {:#x} - {:#x}\n", plan.arm64 ? "booti" : "bootz", plan.xen.address, plan.tree.address);
  return out;
}

}  // namespace xstack
