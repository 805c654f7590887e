// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/rules.h"

namespace xstack {
namespace {

constexpr std::uint8_t bit(ConfigRole role) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(role));
}
constexpr std::uint8_t bit(ConfigArch arch) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(arch));
}

constexpr std::uint8_t kDom0 = bit(ConfigRole::dom0);
constexpr std::uint8_t kDomU = bit(ConfigRole::domu);
constexpr std::uint8_t kTrace = bit(ConfigRole::trace);
constexpr std::uint8_t kGuests = kDom0 | kDomU;
constexpr std::uint8_t kArm = bit(ConfigArch::arm);
constexpr std::uint8_t kArm64 = bit(ConfigArch::arm64);
constexpr std::uint8_t kX86 = bit(ConfigArch::x86);
constexpr std::uint8_t kArms = kArm | kArm64;
constexpr std::uint8_t kAny = kArms | kX86;

using enum RuleWeight;
using enum RuleWant;

// The facts were read in Linux 6.1's Kconfig files; where other kernels name an option otherwise, the other name
// stands beside it.
constexpr std::array kRules = {
    // What Xen support stands on.
    ConfigRule{kGuests,
               kAny,
               required,
               built_in,
               {"XEN"},
               "everything else of Xen depends on it",
               "arch/{arm,arm64,x86/xen}/Kconfig, XEN: off unless chosen; selects SWIOTLB_XEN on ARM, and ARM_PSCI on "
               "32-bit ARM",
               "CONFIG_XEN=y"},
    ConfigRule{kGuests,
               kArm,
               required,
               built_in,
               {"AEABI"},
               "XEN cannot be chosen without it",
               "arch/arm/Kconfig, XEN: depends on ARM && AEABI && OF",
               "CONFIG_AEABI=y",
               "XEN"},
    ConfigRule{kGuests,
               kArms,
               required,
               built_in,
               {"OF"},
               "XEN cannot be chosen without it: Xen describes the machine by a device tree",
               "arch/{arm,arm64}/Kconfig, XEN: depends on OF, which ARCH_MULTIPLATFORM and ARM64 select",
               "",
               "XEN"},
    ConfigRule{kGuests,
               kArm,
               required,
               built_in,
               {"CPU_V7"},
               "XEN cannot be chosen without it",
               "arch/arm/Kconfig, XEN: depends on CPU_V7 && !CPU_V6",
               "CONFIG_ARCH_MULTI_V7=y",
               "XEN"},
    ConfigRule{kGuests,
               kArm,
               required,
               off,
               {"CPU_V6"},
               "a kernel for ARMv6 as well cannot have XEN",
               "arch/arm/Kconfig, XEN: depends on CPU_V7 && !CPU_V6; ARCH_MULTI_V6 brings CPU_V6",
               "# CONFIG_ARCH_MULTI_V6 is not set",
               "XEN"},
    ConfigRule{kGuests,
               kArm,
               required,
               built_in,
               {"ARM_PSCI"},
               "secondary CPUs are started, and the domain is shut down, by PSCI calls to Xen",
               "arch/arm/Kconfig, XEN: selects ARM_PSCI",
               "CONFIG_ARM_PSCI=y",
               "XEN"},
    ConfigRule{kGuests,
               kArm,
               required,
               built_in,
               {"ARM_ARCH_TIMER"},
               "the architected timer is the one timer that Xen gives to a domain",
               "drivers/clocksource/Kconfig, ARM_ARCH_TIMER: selected by HAVE_ARM_ARCH_TIMER (arch/arm/Kconfig), which "
               "MACH_SUN7I, ARCH_VIRT and others select",
               "CONFIG_HAVE_ARM_ARCH_TIMER=y"},
    ConfigRule{
        kDomU,
        kArm,
        required,
        built_in,
        {"ARCH_MULTIPLATFORM", "ARCH_VIRT"},
        "the machine that Xen describes to a domU is none of the boards; a kernel for one machine alone refuses it",
        "arch/arm/kernel/devtree.c, setup_machine_fdt(): the generic machine is there with ARCH_MULTIPLATFORM",
        "CONFIG_ARCH_MULTIPLATFORM=y"},
    ConfigRule{kGuests,
               kX86,
               required,
               built_in,
               {"XEN_PVH", "XEN_PV", "XEN_PVHVM_GUEST", "XEN_PVHVM"},
               "at least one way to run: PVH, PV, or HVM with paravirtual drivers",
               "arch/x86/xen/Kconfig, XEN_PV, XEN_PVH, XEN_PVHVM_GUEST (XEN_PVHVM before 5.10)",
               "CONFIG_HYPERVISOR_GUEST=y\nCONFIG_PARAVIRT=y\nCONFIG_XEN_PV=y\nCONFIG_XEN_PVH=y"},
    ConfigRule{kDomU,
               kX86,
               recommended,
               built_in,
               {"XEN_PVH"},
               "type=\"pvh\" needs it",
               "arch/x86/xen/Kconfig, XEN_PVH: depends on XEN && XEN_PVHVM && ACPI",
               "CONFIG_ACPI=y\nCONFIG_XEN_PVH=y"},
    // dom0.
    ConfigRule{kDom0,
               kArms,
               required,
               built_in,
               {"XEN_DOM0"},
               "the kernel's part of being the first domain",
               "arch/{arm,arm64}/Kconfig, XEN_DOM0: def_bool y, depends on XEN: automatic, cannot be chosen",
               "",
               "XEN"},
    ConfigRule{kDom0,
               kX86,
               required,
               built_in,
               {"XEN_DOM0"},
               "the kernel's part of being the first domain",
               "arch/x86/xen/Kconfig, XEN_DOM0: default XEN_PV; depends on PCI, ACPI and X86_IO_APIC",
               "CONFIG_PCI=y\nCONFIG_ACPI=y\nCONFIG_XEN_DOM0=y"},
    ConfigRule{kDom0,
               kArms,
               required,
               built_in,
               {"HVC_XEN"},
               "dom0's console is hvc0: Xen keeps the UART, and on Allwinner boards hides all of them",
               "drivers/tty/hvc/Kconfig, HVC_XEN: bool, depends on XEN, default y",
               "CONFIG_HVC_XEN=y"},
    ConfigRule{kDom0,
               kX86,
               recommended,
               built_in,
               {"HVC_XEN"},
               "hvc0 shows dom0's console on Xen's serial line",
               "drivers/tty/hvc/Kconfig, HVC_XEN: bool, depends on XEN, default y",
               "CONFIG_HVC_XEN=y"},
    ConfigRule{kDom0,
               kAny,
               required,
               enabled,
               {"XEN_PRIVCMD"},
               "the toolstack, and xstack, reach Xen through /dev/xen/privcmd",
               "drivers/xen/Kconfig, XEN_PRIVCMD: tristate, default m; XENFS selects it",
               "CONFIG_XEN_PRIVCMD=y",
               "XENFS"},
    ConfigRule{kDom0,
               kAny,
               required,
               enabled,
               {"XENFS"},
               "the toolstack's start scripts look for /proc/xen/capabilities",
               "drivers/xen/Kconfig, XENFS: tristate, selects XEN_PRIVCMD, default y",
               "CONFIG_XENFS=y"},
    ConfigRule{kDom0,
               kAny,
               required,
               enabled,
               {"XEN_DEV_EVTCHN"},
               "xenstored and xenconsoled hear of domains through /dev/xen/evtchn",
               "drivers/xen/Kconfig, XEN_DEV_EVTCHN: tristate, default y",
               "CONFIG_XEN_DEV_EVTCHN=y"},
    ConfigRule{kDom0,
               kAny,
               required,
               enabled,
               {"XEN_GNTDEV"},
               "xenstored, xenconsoled and QEMU's disks map what guests grant through /dev/xen/gntdev",
               "drivers/xen/Kconfig, XEN_GNTDEV: tristate, default m",
               "CONFIG_XEN_GNTDEV=y"},
    ConfigRule{kDom0,
               kAny,
               required,
               built_in,
               {"XEN_BACKEND"},
               "no backend driver can be chosen without it",
               "drivers/xen/Kconfig, XEN_BACKEND: bool, default XEN_DOM0",
               "CONFIG_XEN_BACKEND=y"},
    ConfigRule{kDom0,
               kArms,
               required,
               built_in,
               {"SWIOTLB_XEN"},
               "a device's DMA to memory of a guest must go to the machine's addresses",
               "drivers/xen/Kconfig, SWIOTLB_XEN: def_bool y, depends on XEN_PV || ARM || ARM64",
               "",
               "XEN"},
    ConfigRule{kDom0,
               kAny,
               recommended,
               enabled,
               {"XEN_BLKDEV_BACKEND"},
               "disks of guests, phy:; without it only QEMU can serve them",
               "drivers/block/Kconfig, XEN_BLKDEV_BACKEND: tristate, depends on XEN_BACKEND, off unless chosen",
               "CONFIG_XEN_BLKDEV_BACKEND=m"},
    ConfigRule{kDom0,
               kAny,
               recommended,
               enabled,
               {"XEN_NETDEV_BACKEND"},
               "network interfaces of guests",
               "drivers/net/Kconfig, XEN_NETDEV_BACKEND: tristate, depends on XEN_BACKEND, off unless chosen",
               "CONFIG_XEN_NETDEV_BACKEND=m"},
    ConfigRule{kDom0,
               kAny,
               recommended,
               enabled,
               {"BRIDGE"},
               "xl's default script for network interfaces puts them on a bridge",
               "net/bridge/Kconfig, BRIDGE: tristate, depends on IPV6 || IPV6=n",
               "CONFIG_BRIDGE=m"},
    ConfigRule{kDom0,
               kAny,
               recommended,
               enabled,
               {"XEN_GRANT_DEV_ALLOC"},
               "programs in dom0 share memory with guests (libvchan) through /dev/xen/gntalloc",
               "drivers/xen/Kconfig, XEN_GRANT_DEV_ALLOC: tristate, default m",
               "CONFIG_XEN_GRANT_DEV_ALLOC=m"},
    ConfigRule{kDom0,
               kAny,
               recommended,
               built_in,
               {"XEN_COMPAT_XENFS"},
               "makes /proc/xen, where xenfs is mounted",
               "drivers/xen/Kconfig, XEN_COMPAT_XENFS: bool, depends on XENFS, default y",
               "CONFIG_XEN_COMPAT_XENFS=y"},
    ConfigRule{kDom0,
               kAny,
               recommended,
               built_in,
               {"XEN_SYS_HYPERVISOR"},
               "/sys/hypervisor says that this is Xen and which",
               "drivers/xen/Kconfig, XEN_SYS_HYPERVISOR: bool, depends on SYSFS, default y",
               "CONFIG_XEN_SYS_HYPERVISOR=y"},
    // domU.
    ConfigRule{kDomU,
               kAny,
               required,
               built_in,
               {"HVC_XEN"},
               "the console that `xl console` shows is hvc0; a guest without it is silent",
               "drivers/tty/hvc/Kconfig, HVC_XEN: bool, depends on XEN, default y",
               "CONFIG_HVC_XEN=y"},
    ConfigRule{kDomU,
               kAny,
               required,
               enabled,
               {"XEN_BLKDEV_FRONTEND"},
               "the guest's disks, xvda and so on; as a module it must be in the initramfs",
               "drivers/block/Kconfig, XEN_BLKDEV_FRONTEND: tristate, depends on XEN, default y",
               "CONFIG_XEN_BLKDEV_FRONTEND=y"},
    ConfigRule{kDomU,
               kAny,
               recommended,
               enabled,
               {"XEN_NETDEV_FRONTEND"},
               "the guest's network interfaces",
               "drivers/net/Kconfig, XEN_NETDEV_FRONTEND: tristate, depends on XEN, default y",
               "CONFIG_XEN_NETDEV_FRONTEND=y"},
    ConfigRule{kGuests,
               kAny,
               recommended,
               built_in,
               {"XEN_BALLOON"},
               "memory can be given back and asked for (xl mem-set)",
               "drivers/xen/Kconfig, XEN_BALLOON: bool, default y",
               "CONFIG_XEN_BALLOON=y"},
    // To be traced.
    ConfigRule{kTrace,
               kAny,
               required,
               built_in,
               {"KALLSYMS"},
               "names come from the kernel's own table of symbols",
               "init/Kconfig, KALLSYMS: default y; can be turned off with EXPERT only",
               "CONFIG_KALLSYMS=y"},
    ConfigRule{kTrace,
               kArm,
               required,
               built_in,
               {"ARM_UNWIND", "FRAME_POINTER"},
               "without unwind tables and frame pointers a trace is a guess",
               "arch/arm/Kconfig.debug, UNWINDER_ARM selects ARM_UNWIND, UNWINDER_FRAME_POINTER selects FRAME_POINTER "
               "(before 4.20 ARM_UNWIND itself could be chosen)",
               "CONFIG_UNWINDER_ARM=y",
               {},
               4020,
               "CONFIG_ARM_UNWIND=y"},
    ConfigRule{kTrace,
               kArm64,
               required,
               built_in,
               {"FRAME_POINTER"},
               "traces follow frame records",
               "arch/arm64/Kconfig, ARM64: selects FRAME_POINTER",
               "",
               "ARM64"},
    ConfigRule{kTrace,
               kX86,
               required,
               built_in,
               {"UNWINDER_ORC", "UNWINDER_FRAME_POINTER", "ORC_UNWINDER", "FRAME_POINTER"},
               "without ORC tables and frame pointers a trace is a guess",
               "arch/x86/Kconfig.debug, UNWINDER_ORC (64 bits), UNWINDER_FRAME_POINTER; in 4.14 ORC_UNWINDER",
               "CONFIG_UNWINDER_ORC=y",
               {},
               4015,
               "CONFIG_ORC_UNWINDER=y"},
    ConfigRule{kTrace,
               kAny,
               recommended,
               built_in,
               {"KALLSYMS_ALL"},
               "variables are found by name: the kernel's page tables, its tasks, its log",
               "init/Kconfig, KALLSYMS_ALL: depends on DEBUG_KERNEL && KALLSYMS",
               "CONFIG_DEBUG_KERNEL=y\nCONFIG_KALLSYMS_ALL=y"},
    ConfigRule{kTrace,
               kAny,
               recommended,
               built_in,
               {"PRINTK"},
               "the kernel's last words, for xstack dmesg",
               "init/Kconfig, PRINTK: default y; can be turned off with EXPERT only",
               "CONFIG_PRINTK=y"},
    ConfigRule{
        kTrace,
        kAny,
        recommended,
        built_in,
        {"DEBUG_INFO"},
        "source files and lines with -s vmlinux; the kernel in the guest does not grow by it",
        "lib/Kconfig.debug, DEBUG_INFO: since 5.18 selected by a choice, which DEBUG_INFO_NONE turns off",
        "CONFIG_DEBUG_KERNEL=y\n# CONFIG_DEBUG_INFO_NONE is not set\nCONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y",
        {},
        5018,
        "CONFIG_DEBUG_KERNEL=y\nCONFIG_DEBUG_INFO=y"},
    ConfigRule{kTrace,
               kArm64 | kX86,
               recommended,
               built_in,
               {"VMCORE_INFO", "CRASH_CORE", "KEXEC_CORE", "KEXEC"},
               "VMCOREINFO: the kernel says itself how far KASLR slid it and where its tables are",
               "kernel/Kconfig.kexec, VMCORE_INFO (6.9); arch/Kconfig, CRASH_CORE (4.13 to 6.8), which KEXEC and "
               "PROC_KCORE select",
               "CONFIG_KEXEC=y"},
    ConfigRule{kTrace,
               kAny,
               recommended,
               zero,
               {"PANIC_TIMEOUT"},
               "a guest that panicked stays as it is, to be looked at, and does not reboot",
               "lib/Kconfig.debug, PANIC_TIMEOUT: int, default 0, for ever; panic= on the command line overrides it",
               "CONFIG_PANIC_TIMEOUT=0"},
    // Right either way.
    ConfigRule{kDom0,
               kAny,
               harmless,
               enabled,
               {"XEN_BLKDEV_FRONTEND"},
               "frontends and backends in one kernel do no harm: one kernel can be dom0 and domU",
               "drivers/block/Kconfig, XEN_BLKDEV_FRONTEND: depends on XEN alone",
               ""},
    ConfigRule{kDom0,
               kAny,
               harmless,
               enabled,
               {"XEN_NETDEV_FRONTEND"},
               "as the disk's frontend",
               "drivers/net/Kconfig, XEN_NETDEV_FRONTEND: depends on XEN alone",
               ""},
    ConfigRule{kDomU,
               kAny,
               harmless,
               built_in,
               {"XEN_BACKEND"},
               "backends do no harm in a guest: only the toolstack can give them something to do",
               "drivers/xen/Kconfig, XEN_BACKEND: bool, default XEN_DOM0",
               ""},
    ConfigRule{kGuests,
               kArm,
               harmless,
               built_in,
               {"ARM_LPAE"},
               "not required by XEN; with it page tables are long descriptors and memory above 4 GiB can be reached, "
               "without it short ones. xstack reads both",
               "arch/arm/mm/Kconfig, ARM_LPAE: bool, depends on CPU_V7 and no older CPU",
               ""},
    ConfigRule{
        kGuests | kTrace,
        kArm,
        harmless,
        built_in,
        {"PAGE_OFFSET"},
        "where kernel addresses begin: 0xC0000000, with VMSPLIT_3G_OPT 0xB0000000, with VMSPLIT_2G 0x80000000, with "
        "VMSPLIT_1G 0x40000000. xstack finds it in the guest",
        "arch/arm/Kconfig, PAGE_OFFSET: follows the choice of VMSPLIT_3G and its like",
        ""},
    ConfigRule{kTrace,
               kAny,
               harmless,
               built_in,
               {"DEBUG_INFO_BTF"},
               "the layout of tasks is read from BTF; without it xstack tells it from the tasks themselves",
               "lib/Kconfig.debug, DEBUG_INFO_BTF: depends on BPF_SYSCALL and a pahole at build time",
               ""},
    ConfigRule{kTrace,
               kAny,
               harmless,
               enabled,
               {"IKCONFIG"},
               "check-config can read the configuration of a guest from its memory",
               "init/Kconfig, IKCONFIG: tristate; built in, it lies in the kernel's image",
               ""},
    ConfigRule{kTrace,
               kAny,
               harmless,
               built_in,
               {"RANDOMIZE_BASE"},
               "KASLR: xstack finds the offset in the guest",
               "arch/{arm64,x86}/Kconfig, RANDOMIZE_BASE",
               ""},
};

}  // namespace

std::span<const ConfigRule> config_rules() {
  return kRules;
}

const char* to_string(ConfigRole role) {
  switch (role) {
    case ConfigRole::dom0:
      return "dom0";
    case ConfigRole::domu:
      return "domu";
    case ConfigRole::trace:
      return "trace";
  }
  return "?";
}

std::optional<ConfigRole> find_role(std::string_view name) {
  for (const ConfigRole role : kConfigRoles) {
    if (name == to_string(role)) {
      return role;
    }
  }
  return name == "domU" ? std::optional(ConfigRole::domu) : std::nullopt;
}

const char* to_string(RuleWeight weight) {
  switch (weight) {
    case required:
      return "required";
    case recommended:
      return "recommended";
    case harmless:
      return "harmless";
  }
  return "?";
}

const char* to_string(RuleWant want) {
  switch (want) {
    case built_in:
      return "y";
    case enabled:
      return "y or m";
    case off:
      return "n";
    case zero:
      return "0";
  }
  return "?";
}

}  // namespace xstack
