// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/boot_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "boards/board_store.h"
#include "tests/support/json_schema.h"
#include "tests/support/tree_text.h"
#include "tools/print/board_printer.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint64_t kMiB = 1U << 20;
const std::string kSource = XSTACK_SOURCE;

Board board_of(const std::string& name) {
  auto board = find_board(name, {});
  EXPECT_TRUE(board);
  return std::move(*board);
}

BootFileHead zimage(std::uint64_t bytes, std::uint64_t memory = 0) {
  return {BootFileKind::zimage, bytes, std::max(bytes, memory)};
}

/// Xen 4.17, Linux 6.1 and an initrd, of the sizes of Debian's.
BootRequest debian() {
  BootRequest request;
  request.xen = {"xen", zimage(884744, 1 * kMiB)};
  request.dom0 = {"zImage", zimage(5 * kMiB)};
  request.initrd = BootFile{"initrd.gz", BootFileHead{BootFileKind::gzip, 30 * kMiB, 30 * kMiB}};
  return request;
}

DeviceTree tree(const std::string& more = "") {
  auto parsed = DeviceTree::parse(test::tree_of(test::text_of(kSource + "/tests/data/boards/cubieboard2.tree") + more));
  EXPECT_TRUE(parsed);
  return std::move(*parsed);
}

std::string error_of(const Board& board, const BootRequest& request) {
  const auto plan = make_boot_plan(board, request);
  return plan ? "" : plan.error().message;
}

void expect_sound(const BootPlan& plan) {
  std::vector<Area> all = plan.kept;
  for (const BootItem* item : {&plan.xen, &plan.tree, &plan.kernel, plan.initrd ? &*plan.initrd : nullptr}) {
    if (item != nullptr) {
      const Area area{item->address, item->address + item->bytes, item->what};
      EXPECT_GE(area.begin, plan.ram.begin);
      EXPECT_LE(area.end, plan.ram.end);
      EXPECT_GE(item->room, item->bytes);
      for (const Area& other : all) {
        EXPECT_FALSE(overlap(area, other)) << area.what << " and " << other.what;
      }
      all.push_back(area);
    }
  }
}

TEST(BootPlan, PlacesWhatDebianHas) {
  const Board board = board_of("cubieboard2");
  const auto plan = make_boot_plan(board, debian());
  ASSERT_TRUE(plan) << plan.error().message;
  expect_sound(*plan);
  EXPECT_EQ(plan->ram.end, 0x80000000U);
  EXPECT_EQ(plan->xen.address, 0x42000000U);
  EXPECT_EQ(plan->tree.address, 0x43000000U);
  EXPECT_EQ(plan->kernel.address, 0x42200000U) << "between Xen and the device tree";
  EXPECT_EQ(plan->initrd->address, 0x43200000U) << "above the script";
  EXPECT_EQ(plan->xen_bootargs, "console=dtuart dtuart=serial0 dom0_mem=512M");
  EXPECT_EQ(plan->dom0_bootargs, "console=hvc0 clk_ignore_unused");
  EXPECT_THAT(plan->warnings, IsEmpty());
}

TEST(BootPlan, EveryBoardBoots) {
  for (const BoardEntry& entry : list_boards({})) {
    SCOPED_TRACE(entry.name);
    const auto plan = make_boot_plan(*entry.board, debian());
    ASSERT_TRUE(plan) << plan.error().message;
    expect_sound(*plan);
    EXPECT_THAT(plan->warnings, IsEmpty());
  }
  // How much RAM it has is not known: what U-Boot needs at least is what there is.
  const auto least = make_boot_plan(board_of("mele-m3"), debian());
  EXPECT_EQ(least->ram.end, 0x50000000U);
  EXPECT_THAT(least->xen_bootargs, HasSubstr("dom0_mem=64M"));
}

TEST(BootPlan, TheScriptIsOneThatUBootRuns) {
  BootRequest request = debian();
  request.dom0_bootargs = "root=/dev/mmcblk0p2 rootwait dyndbg=\"+p\"";
  request.xen_bootargs = "maxcpus=1";
  request.dom0_mem = 384 * kMiB;
  const auto plan = make_boot_plan(board_of("orangepi-pc"), request);
  ASSERT_TRUE(plan) << plan.error().message;
  const std::string script = boot_script(*plan);
  EXPECT_THAT(script, HasSubstr("\nload ${devtype} ${devnum}:${distro_bootpart} 0x42000000 ${prefix}xen || exit\n"));
  EXPECT_THAT(script, HasSubstr("\nfdt addr 0x43000000 || exit\nfdt resize 0x10000\n"));
  EXPECT_THAT(script, HasSubstr("\nfdt set /chosen \\#address-cells <0x1>\nfdt set /chosen \\#size-cells <0x1>\n"));
  EXPECT_THAT(script, HasSubstr("\nfdt set /chosen xen,xen-bootargs 'console=dtuart dtuart=serial0 dom0_mem=384M "
                                "maxcpus=1'\n"));
  EXPECT_THAT(script, HasSubstr("\nfdt set /chosen xen,dom0-bootargs 'console=hvc0 clk_ignore_unused "
                                "root=/dev/mmcblk0p2 rootwait dyndbg=\"+p\"'\n"));
  EXPECT_THAT(script, HasSubstr("\nfdt mknode /chosen module@42200000\n"
                                "fdt set /chosen/module@42200000 compatible 'multiboot,kernel' 'multiboot,module'\n"
                                "fdt set /chosen/module@42200000 reg <0x42200000 0x${filesize}>\n"));
  EXPECT_THAT(script, HasSubstr("'multiboot,ramdisk' 'multiboot,module'\n"));
  EXPECT_THAT(script, testing::EndsWith("\nsetenv bootm_boot_mode nonsec\nbootz 0x42000000 - 0x43000000\n"));
  EXPECT_THAT(script, Not(HasSubstr("mknode / chosen")));
  const std::string nodes = boot_nodes(*plan);
  EXPECT_THAT(nodes, HasSubstr("reg = <0x42200000 0x500000>;"));
  EXPECT_THAT(nodes, HasSubstr("dyndbg=\\\"+p\\\""));
  const auto schema = nlohmann::json::parse(test::text_of(kSource + "/tools/schema/xstack-boot-1.json"));
  const auto json = nlohmann::json::parse(print_boot_json(*plan));
  EXPECT_THAT(test::SchemaValidator(schema).errors(json), IsEmpty());
  EXPECT_EQ(json["loaded"][2]["file_bytes"], "0x500000");
}

TEST(BootPlan, ABoardWithoutATreeUsesUBoots) {
  const auto plan = make_boot_plan(board_of("mele-m5"), debian());
  ASSERT_TRUE(plan);
  EXPECT_THAT(boot_script(*plan), HasSubstr("fdt move ${fdtcontroladdr} 0x43000000 0x100000 || exit\n"));
}

TEST(BootPlan, FilesThatAreNotHereGetRoom) {
  BootRequest request;
  request.xen = {"xen", {}};
  request.dom0 = {"zImage", {}};
  request.initrd = BootFile{"initrd", {}};
  const auto plan = make_boot_plan(board_of("cubieboard2"), request);
  ASSERT_TRUE(plan);
  expect_sound(*plan);
  EXPECT_TRUE(plan->kernel.assumed);
  EXPECT_THAT(boot_nodes(*plan), HasSubstr("the file is not here"));
  EXPECT_THAT(boot_script(*plan), HasSubstr("if itest 0x${filesize} -gt "));
}

TEST(BootPlan, WhatCannotBootIsRefused) {
  const Board board = board_of("a20-olinuxino-lime");
  const auto with = [](auto change) {
    BootRequest request = debian();
    change(request);
    return request;
  };
  EXPECT_THAT(error_of(board, with([](auto& r) { r.xen.image->kind = BootFileKind::image; })),
              HasSubstr("xen: is an arm64 Image; Xen on this board is a zImage"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.dom0.image->kind = BootFileKind::gzip; })),
              HasSubstr("zImage: is gzip data; dom0's kernel"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.xen.image = zimage(17 * kMiB); })),
              HasSubstr("device tree (0x43000000-0x43100000) overlaps Xen (0x42000000-0x43100000)"));
  EXPECT_THAT(error_of(board, with([](auto& r) {
                         r.initrd->image = BootFileHead{{}, 400 * kMiB, 400 * kMiB};
                       })),
              HasSubstr("there is no room for dom0's initrd (0x19000000 bytes) in RAM (0x40000000-0x60000000"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.dom0_mem = 512 * kMiB; })), HasSubstr("dom0_mem=512M: RAM is 512M"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.ram = 4096 * kMiB; })), HasSubstr("has 2G at most"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.ram = 16 * kMiB; })), HasSubstr("Xen (0x42000000"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.dom0_bootargs = "it's"; })), HasSubstr("--bootargs"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.xen_bootargs = std::string(1001, 'x'); })), HasSubstr("too long"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.xen.name = "x;reset"; })), HasSubstr("--xen"));
  EXPECT_THAT(error_of(board, with([](auto& r) { r.xen.name = ""; })), HasSubstr("is empty"));
  Board nothing;
  nothing.name = "n";
  EXPECT_THAT(error_of(nothing, with([](auto& r) { r.xen.image.reset(), r.dom0.image.reset(); })),
              HasSubstr("the board n does not say ram.base"));
}

TEST(BootPlan, FixedAddressesAreChecked) {
  Board board = board_of("cubieboard2");
  const auto fix = [&](std::uint64_t address) {
    board.facts["boot.dom0_kernel"].value = address;
    return error_of(board, debian());
  };
  EXPECT_EQ(fix(0x50000000), "");
  EXPECT_THAT(fix(0x43100000), HasSubstr("overlaps this script while it runs (0x43100000-0x43200000)"));
  EXPECT_THAT(fix(0x49f00000), HasSubstr("overlaps where bootz moves the device tree"));
  EXPECT_THAT(fix(0x7f000000), HasSubstr("overlaps U-Boot itself"));
  EXPECT_THAT(fix(0x42000000), HasSubstr("overlaps Xen"));
  EXPECT_THAT(fix(0x7ff00000), HasSubstr("is not inside of RAM"));
  EXPECT_THAT(fix(0x30000000), HasSubstr("is not inside of RAM"));
  EXPECT_THAT(fix(~0ULL - 5), HasSubstr("is not inside of RAM"));
}

TEST(BootPlan, TheTreeIsLookedAt) {
  const Board board = board_of("cubieboard2");
  BootRequest request = debian();
  const DeviceTree plain = tree();
  request.tree = &plain;
  const auto plan = make_boot_plan(board, request);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->warnings, testing::ElementsAre(HasSubstr("no memory node")));
  const DeviceTree with_memory = tree(
      "/memory@40000000 device_type \"memory\"\n/memory@40000000 reg <0x40000000 0x20000000>\n"
      "/reserved-memory/fb@42200000 reg <0x42200000 0x200000>\n");
  request.tree = &with_memory;
  const auto other = make_boot_plan(board, request);
  ASSERT_TRUE(other) << other.error().message;
  expect_sound(*other);
  EXPECT_EQ(other->ram.end, 0x60000000U) << "wins over the profile";
  EXPECT_EQ(other->kernel.address, 0x42400000U) << "not where the device tree reserves";
  const DeviceTree opi =
      *DeviceTree::parse(test::tree_of(test::text_of(kSource + "/tests/data/boards/orangepi-pc.tree")));
  request.tree = &opi;
  EXPECT_THAT(make_boot_plan(board, request)->warnings,
              testing::Contains("cpu.count is 2 in the profile, 4 in the device tree"));
  const DeviceTree bare = *DeviceTree::parse(test::tree_of("/ #address-cells <0x1>\n"));
  request.tree = &bare;
  const auto made = make_boot_plan(board, request);
  EXPECT_THAT(boot_script(*made), HasSubstr("\nfdt mknode / chosen\n"));
  const DeviceTree wide = tree("/chosen #address-cells <0x2>\n/chosen #size-cells <0x2>\n");
  request.tree = &wide;
  EXPECT_THAT(boot_script(*make_boot_plan(board, request)), HasSubstr("reg <0x0 0x42200000 0x0 0x${filesize}>\n"));
}

TEST(BootPlan, ADom0WithoutAFirstBankIsWarnedOf) {
  Board board = board_of("cubieboard2");
  BootRequest request = debian();
  request.ram = 256 * kMiB;
  board.facts["boot.dom0_kernel"].value = std::uint64_t{0x48000000};
  request.dom0_mem = 128 * kMiB;
  EXPECT_THAT(make_boot_plan(board, request)->warnings,
              testing::Contains(HasSubstr("Unable to allocate first memory")));
  request.dom0_mem = 32 * kMiB;
  EXPECT_THAT(make_boot_plan(board, request)->warnings, IsEmpty());
}

TEST(BootFiles, AreToldByTheirHeads) {
  std::vector<std::byte> head(BootFileHead::kHead);
  const auto put = [&](std::size_t at, std::uint32_t value) { std::memcpy(head.data() + at, &value, sizeof value); };
  EXPECT_EQ(recognise_boot_file(head, 100).kind, BootFileKind::other);
  EXPECT_EQ(recognise_boot_file({}, 1).kind, BootFileKind::other);
  put(0x24, 0x016f2818);
  put(0x28, 0x1000);
  put(0x2c, 0x101000);
  EXPECT_EQ(recognise_boot_file(head, 884744).kind, BootFileKind::zimage);
  EXPECT_EQ(recognise_boot_file(head, 884744).memory_bytes, 0x100000U) << "with what is no part of the file";
  put(0x2c, 0xffffffff);
  EXPECT_EQ(recognise_boot_file(head, 884744).memory_bytes, 884744U) << "not believed";
  put(0x24, 0);
  put(0x38, 0x644d5241);
  put(0x10, 0x200000);
  EXPECT_EQ(recognise_boot_file(head, 100).memory_bytes, 0x200000U);
  put(0, 0x56190527);
  put(0x38, 0);
  EXPECT_EQ(recognise_boot_file(head, 100).kind, BootFileKind::uimage);
}

TEST(DeviceTrees, BrokenOnesAreRefused) {
  auto blob = test::tree_of("/a b \"c\"\n");
  EXPECT_TRUE(DeviceTree::parse(blob));
  EXPECT_THAT(DeviceTree::parse({}).error().message, HasSubstr("too short"));
  auto cut = blob;
  cut.resize(blob.size() - 8);
  EXPECT_THAT(DeviceTree::parse(cut).error().message, HasSubstr("is broken: FDT_ERR_TRUNCATED"));
  auto magic = blob;
  magic[0] = std::byte{0};
  EXPECT_THAT(DeviceTree::parse(magic).error().message, HasSubstr("is no device tree: it begins with"));
  auto large = blob;
  large[5] = std::byte{0x30};
  EXPECT_EQ(DeviceTree::parse(large).error().code, Errc::too_large);
}

TEST(DeviceTrees, AreReadByTheirCells) {
  const auto parsed = DeviceTree::parse(test::tree_of(
      "/ #address-cells <0x2>\n/ #size-cells <0x2>\n/memory reg <0x2 0x0 0x0 0x1000 0x0 0x0 0x0 0x0>\n"
      "/memory@ff reg <0xffffffff 0xffffffff 0x1 0x0>\n"
      "/reserved-memory #address-cells <0x1>\n/reserved-memory #size-cells <0x1>\n/reserved-memory/x reg <0x10 0x20>\n"
      "/odd #address-cells <0x9>\n/odd/y reg <0x1 0x2 0x3>\n/z s \"a\" \"b\"\n"));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto memory = parsed->memory();
  ASSERT_EQ(memory.size(), 1U) << "nothing empty, nothing that wraps";
  EXPECT_EQ(memory[0].begin, 0x200000000U);
  EXPECT_EQ(memory[0].end, 0x200001000U);
  ASSERT_EQ(parsed->reserved().size(), 1U);
  EXPECT_EQ(parsed->reserved()[0].end, 0x30U);
  EXPECT_THAT(parsed->reg("/odd/y"), IsEmpty());
  EXPECT_THAT(parsed->texts("/z", "s"), testing::ElementsAre("a", "b"));
  EXPECT_EQ(parsed->text("/z", "s"), std::nullopt) << "two of them";
  EXPECT_FALSE(parsed->has("/none"));
}

}  // namespace
}  // namespace xstack
