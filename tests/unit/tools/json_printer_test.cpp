// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/sample_report.h"
#include "tools/print/printer.h"

namespace xstack {
namespace {

using Json = nlohmann::json;

Json print(const Report& report) {
  return Json::parse(make_json_printer()->print(report));
}

TEST(JsonPrinter, TheDocumentedShape) {
  const Json out = print(test::sample_report());
  EXPECT_EQ(out["xstack"], 1);
  EXPECT_EQ(out["guest"]["name"], "domU");
  EXPECT_EQ(out["guest"]["domid"], 3);
  EXPECT_EQ(out["guest"]["arch"], "arm32");
  EXPECT_EQ(out["guest"]["state"], "crashed");
  EXPECT_EQ(out["guest"]["shutdown_reason"], "crash");
  EXPECT_EQ(out["guest"]["kaslr_offset"], "0x0");
  EXPECT_EQ(out["guest"]["symbols"], (Json{"kallsyms", "System.map:/boot/map"}));
  const Json& vcpu = out["vcpus"][0];
  EXPECT_EQ(vcpu["id"], 0);
  EXPECT_EQ(vcpu["online"], true);
  EXPECT_EQ(vcpu["mode"], "SVC");
  EXPECT_EQ(vcpu["word_size"], 4);
  EXPECT_EQ(vcpu["task"], (Json{{"pid", 1}, {"comm", "init"}}));
  EXPECT_EQ(vcpu["registers"]["pc"], "0xc03a1b2c");
  EXPECT_EQ(vcpu["registers"]["spsr_svc"], "0x1008");
  EXPECT_EQ(vcpu["frames"][0], Json::parse(R"({"pc": "0xc03a1b2c", "sp": "0xf0819e58", "found_by": "registers",
                            "symbol": "sysrq_handle_crash", "offset": "0x14", "size": "0x1c", "module": null,
                            "file": "drivers/tty/sysrq.c", "line": 154, "stack": "irq", "inlined": false})"));
  EXPECT_EQ(vcpu["frames"][1]["module"], "softdog");
  EXPECT_EQ(vcpu["ended"], "user mode");
  EXPECT_EQ(vcpu["user"], (Json{{"pc", "0xb6f1a2c4"}, {"sp", "0xbe9f0c10"}}));
  EXPECT_EQ(vcpu["warnings"].size(), 1U);
  EXPECT_EQ(vcpu["stack"]["words"][1], "0x64636262");
  EXPECT_EQ(vcpu["stack"]["names"][0]["symbol"], "panic");
  EXPECT_EQ(out["capture"], (Json{{"pause_us", 812}, {"pages", 23}, {"walk_pages", 9}}));
}

TEST(JsonPrinter, WhatIsUnknownIsAbsent) {
  const Json out = print(test::sample_report());
  EXPECT_FALSE(out["vcpus"][0]["registers"].contains("lr_fiq"));
  EXPECT_FALSE(out["vcpus"][0]["frames"][3].contains("symbol"));
  EXPECT_FALSE(out["vcpus"][0]["frames"][3].contains("offset"));
  const Json& absent = out["vcpus"][1];
  EXPECT_EQ(absent["online"], false);
  EXPECT_EQ(absent["presence"], "never-up");
  EXPECT_EQ(absent["no_registers"], "Xen has no registers for it");
  EXPECT_FALSE(absent.contains("registers"));
  EXPECT_FALSE(absent.contains("mode"));
  Report bare;
  const Json empty = print(bare);
  for (const char* key : {"name", "domid", "state", "os", "kaslr_offset", "kernel_start", "build_id", "modules"}) {
    EXPECT_FALSE(empty["guest"].contains(key)) << key;
  }
  EXPECT_EQ(empty["capture"], (Json{{"walk_pages", 0}}));
  EXPECT_EQ(empty["vcpus"], Json::array());
}

TEST(JsonPrinter, HostileTextIsEscapedAndValid) {
  Report report = test::sample_report();
  report.guest.identity.name = "\xff\x1b[2J\xc2\x9b";
  report.vcpus[0].frames[0].symbol = std::string("a\0b", 3);
  const std::string text = make_json_printer()->print(report);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  const Json out = Json::parse(text);
  EXPECT_EQ(out["guest"]["name"], "\\xff\\x1b[2J\\u{9b}");
  EXPECT_EQ(out["vcpus"][0]["frames"][0]["symbol"], "a\\x00b");
}

TEST(JsonPrinter, MemoryIsHexBytes) {
  Report report;
  MemoryDump memory;
  memory.from = GuestVirt(0xffff800008000000);
  memory.bytes = {std::byte{0x01}, std::byte{0xfe}};
  memory.ended = "frame not available";
  report.memory = {memory};
  const Json out = print(report);
  EXPECT_EQ(out["memory"][0],
            (Json{{"from", "0xffff800008000000"}, {"bytes", "01fe"}, {"ended", "frame not available"}}));
}

}  // namespace
}  // namespace xstack
