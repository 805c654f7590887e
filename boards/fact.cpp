// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/fact.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/checked.h"

namespace xstack {
namespace {

constexpr const char* kBoard = "board";
constexpr const char* kMemory = "memory of the board";
constexpr const char* kUart = "serial console";
constexpr const char* kGic = "interrupt controller";
constexpr const char* kXen = "Xen";
constexpr const char* kUBoot = "U-Boot";
constexpr const char* kBoot = "booting Xen";
constexpr const char* kDom0 = "dom0";
constexpr const char* kLinux = "Linux on it";
constexpr const char* kDomU = "what a domU sees, on this and every board";

using enum FactType;

constexpr std::array kFacts = {
    FactInfo{"model", text, kBoard, "model"},
    FactInfo{"compatible", texts, kBoard, "compatible"},
    FactInfo{"soc.name", text, kBoard, "SoC"},
    FactInfo{"soc.compatible", text, kBoard, "SoC compatible"},
    FactInfo{"soc.arch", text, kBoard, "architecture"},
    FactInfo{"cpu.compatible", text, kBoard, "cores"},
    FactInfo{"cpu.count", count, kBoard, "number of cores"},
    FactInfo{"ram.base", address, kMemory, "base"},
    FactInfo{"ram.sizes", sizes, kMemory, "sizes"},
    FactInfo{"ram.max", size, kMemory, "at most"},
    FactInfo{"uart.path", text, kUart, "node"},
    FactInfo{"uart.alias", text, kUart, "alias"},
    FactInfo{"uart.compatible", text, kUart, "compatible"},
    FactInfo{"uart.address", address, kUart, "address"},
    FactInfo{"uart.reg_shift", count, kUart, "register shift"},
    FactInfo{"uart.reg_io_width", count, kUart, "register width"},
    FactInfo{"uart.interrupt", count, kUart, "interrupt (SPI)"},
    FactInfo{"uart.baud", count, kUart, "baud"},
    FactInfo{"gic.path", text, kGic, "node"},
    FactInfo{"gic.compatible", text, kGic, "compatible"},
    FactInfo{"gic.distributor", address, kGic, "distributor (GICD)"},
    FactInfo{"gic.cpu_interface", address, kGic, "CPU interface (GICC)"},
    FactInfo{"gic.hypervisor_interface", address, kGic, "hypervisor (GICH)"},
    FactInfo{"gic.virtual_cpu_interface", address, kGic, "virtual CPU (GICV)"},
    FactInfo{"xen.platform", text, kXen, "platform"},
    FactInfo{"xen.since", text, kXen, "since Xen"},
    FactInfo{"xen.console", text, kXen, "console options"},
    FactInfo{"xen.hidden_devices", texts, kXen, "hidden from dom0"},
    FactInfo{"xen.early_printk", texts, kXen, "early printk"},
    FactInfo{"xen.early_printk.until_4_19", text, kXen, "alias, 4.14 to 4.19"},
    FactInfo{"xen.early_printk.until_4_13", text, kXen, "up to Xen 4.13"},
    FactInfo{"uboot.config", text, kUBoot, "configuration"},
    FactInfo{"uboot.since", text, kUBoot, "boots Xen since"},
    FactInfo{"uboot.dram_clock", count, kUBoot, "DRAM clock"},
    FactInfo{"uboot.fdtfile", text, kUBoot, "fdtfile"},
    FactInfo{"uboot.psci", text, kUBoot, "PSCI"},
    FactInfo{"uboot.hyp", flag, kUBoot, "enters HYP mode"},
    FactInfo{"uboot.breaks", texts, kUBoot, "what breaks that"},
    FactInfo{"uboot.kernel_addr_r", address, kUBoot, "kernel_addr_r"},
    FactInfo{"uboot.fdt_addr_r", address, kUBoot, "fdt_addr_r"},
    FactInfo{"uboot.scriptaddr", address, kUBoot, "scriptaddr"},
    FactInfo{"uboot.pxefile_addr_r", address, kUBoot, "pxefile_addr_r"},
    FactInfo{"uboot.fdtoverlay_addr_r", address, kUBoot, "fdtoverlay_addr_r"},
    FactInfo{"uboot.ramdisk_addr_r", address, kUBoot, "ramdisk_addr_r"},
    FactInfo{"uboot.bootm_size", size, kUBoot, "bootm_size"},
    FactInfo{"uboot.text_base", address, kUBoot, "loaded at"},
    FactInfo{"uboot.own_size", size, kUBoot, "own memory, at the end"},
    FactInfo{"uboot.min_ram", size, kUBoot, "least RAM"},
    FactInfo{"boot.script", text, kBoot, "script"},
    FactInfo{"boot.xen", address, kBoot, "Xen at"},
    FactInfo{"boot.dtb", address, kBoot, "device tree at"},
    FactInfo{"boot.dom0_kernel", address, kBoot, "dom0's kernel at"},
    FactInfo{"boot.dom0_ramdisk", address, kBoot, "dom0's initrd at"},
    FactInfo{"dom0.console", text, kDom0, "console"},
    FactInfo{"dom0.bootargs", texts, kDom0, "command line"},
    FactInfo{"dom0.dtb", text, kDom0, "device tree"},
    FactInfo{"linux.vmsplit", text, kLinux, "default split"},
    FactInfo{"linux.kernel_start", address, kLinux, "kernel addresses from"},
    FactInfo{"linux.kernel_start.vmsplit_3g", address, kLinux, "  VMSPLIT_3G"},
    FactInfo{"linux.kernel_start.vmsplit_3g_opt", address, kLinux, "  VMSPLIT_3G_OPT"},
    FactInfo{"linux.kernel_start.vmsplit_2g", address, kLinux, "  VMSPLIT_2G"},
    FactInfo{"linux.kernel_start.vmsplit_1g", address, kLinux, "  VMSPLIT_1G"},
    FactInfo{"linux.text_offset", size, kLinux, "text offset"},
    FactInfo{"linux.text_offset.multiplatform", size, kLinux, "  multiplatform"},
    FactInfo{"linux.page_tables", size, kLinux, "page tables below it"},
    FactInfo{"linux.page_tables.lpae", size, kLinux, "  LPAE"},
    FactInfo{"linux.modules", size, kLinux, "module area"},
    FactInfo{"linux.modules.thumb2", size, kLinux, "  THUMB2_KERNEL"},
    FactInfo{"domu.ram", addresses, kDomU, "RAM from"},
    FactInfo{"domu.gic", addresses, kDomU, "GICD, GICC"},
    FactInfo{"domu.pl011", address, kDomU, "PL011"},
    FactInfo{"domu.grant_table", address, kDomU, "grant table"},
    FactInfo{"domu.console", text, kDomU, "console"},
};

std::string format_address(std::uint64_t value) {
  return fmt::format("{:#010x}", value);
}

template <class T, class F>
std::string joined(const std::vector<T>& all, F format) {
  std::string out;
  for (const T& one : all) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", format(one));
  }
  return out;
}

}  // namespace

std::span<const FactInfo> fact_table() {
  return kFacts;
}

const FactInfo* find_fact(std::string_view key) {
  const auto* it = std::ranges::find(kFacts, key, [](const FactInfo& info) { return std::string_view(info.key); });
  return it == kFacts.end() ? nullptr : it;
}

const char* to_string(FactType type) {
  switch (type) {
    case text:
      return "a string";
    case texts:
      return "a list of strings";
    case address:
      return "an address, as \"0x40000000\"";
    case addresses:
      return "a list of addresses";
    case size:
      return "a size, as \"512M\"";
    case sizes:
      return "a list of sizes";
    case count:
      return "a number";
    case flag:
      return "true or false";
  }
  return "?";
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t unit = 1;
  if (!text.empty()) {
    static constexpr std::string_view kUnits = "KMG";
    if (const auto at = kUnits.find(text.back()); at != std::string_view::npos) {
      unit = std::uint64_t{1} << (10 * (at + 1));
      text.remove_suffix(1);
    }
  }
  const bool hex = text.starts_with("0x");
  if (hex) {
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return checked_mul(value, unit);
}

std::string format_size(std::uint64_t bytes) {
  for (unsigned unit = 3; unit != 0; --unit) {
    const std::uint64_t one = std::uint64_t{1} << (10 * unit);
    if (bytes != 0 && bytes % one == 0) {
      return fmt::format("{}{}", bytes / one, "KMG"[unit - 1]);
    }
  }
  return fmt::format("{:#x}", bytes);
}

std::string format_fact(FactType type, const FactValue& value) {
  if (const auto* one = std::get_if<std::string>(&value)) {
    return *one;
  }
  if (const auto* all = std::get_if<std::vector<std::string>>(&value)) {
    return joined(*all, [](const std::string& one) { return one; });
  }
  if (const auto* yes = std::get_if<bool>(&value)) {
    return *yes ? "yes" : "no";
  }
  const auto number = [&](std::uint64_t one) {
    return type == address || type == addresses ? format_address(one)
           : type == size || type == sizes      ? format_size(one)
                                                : fmt::format("{}", one);
  };
  if (const auto* all = std::get_if<std::vector<std::uint64_t>>(&value)) {
    return joined(*all, number);
  }
  return number(std::get<std::uint64_t>(value));
}

}  // namespace xstack
