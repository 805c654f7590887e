// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/json_schema.h"
#include "tests/support/sample_report.h"
#include "tools/print/printer.h"

namespace xstack {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

nlohmann::json shipped_schema() {
  std::ifstream in(XSTACK_SCHEMA);
  return nlohmann::json::parse(in);
}

std::vector<std::string> errors(const nlohmann::json& value) {
  return test::SchemaValidator(shipped_schema()).errors(value);
}

nlohmann::json printed(const Report& report) {
  return nlohmann::json::parse(make_json_printer()->print(report));
}

TEST(Schema, AcceptsWhatIsPrinted) {
  Report full = test::sample_report();
  full.partial = true;
  full.warnings = {"a"};
  full.memory.resize(1);
  full.memory[0].bytes.resize(3);
  full.memory[0].names = {{0, "panic", 0, 4, "mod"}};
  full.guest.lines = {"/usr/lib/debug/boot/vmlinux"};
  full.guest.identity.capabilities = "xen-3.0-armv7l";
  full.guest.doing = Doing{"idle", "a", "b"};
  full.vcpus[0].doing = full.guest.doing;
  full.guest.image = ImageReport{"zImage", GuestPhys(1), GuestVirt(2), "a"};
  full.guest.hypervisor = HypervisorReport{{"(XEN) d3v0 a"}, 4, "ring"};
  full.guest.no_hypervisor_log = "why";
  full.guest.crash = CrashReport{"panic", "Kernel panic", "oops", "f", "mod", 1, 2, 3, "sh"};
  full.guest.system =
      SystemReport{"4-level", "quiet", "the log", 1, 2, {{"W (warning)"}}, "the log", 3, 2, 1, "masks", {"a: b"}};
  EXPECT_THAT(errors(printed(full)), IsEmpty());
  EXPECT_THAT(errors(printed(Report{})), IsEmpty());
}

TEST(Schema, ListsEveryEndReasonAndEveryWayAFrameIsFound) {
  Report report = test::sample_report();
  for (int reason = 0; reason <= static_cast<int>(EndReason::no_registers); ++reason) {
    report.vcpus[0].end->reason = static_cast<EndReason>(reason);
    for (int found_by = 0; found_by <= static_cast<int>(FoundBy::inlined); ++found_by) {
      report.vcpus[0].frames[0].found_by = static_cast<FoundBy>(found_by);
      EXPECT_THAT(errors(printed(report)), IsEmpty());
    }
  }
}

TEST(Schema, RefusesWhatIsNot) {
  nlohmann::json json = printed(test::sample_report());
  json["vcpus"][0]["frames"][0]["pc"] = 12;
  json["vcpus"][0]["registers"]["pc"] = "c000";
  json["guest"]["surprise"] = true;
  json.erase("capture");
  const auto found = errors(json);
  EXPECT_EQ(found.size(), 4U);
  EXPECT_THAT(found, Contains(HasSubstr("$.vcpus[0].frames[0].pc")));
  EXPECT_THAT(found, Contains(HasSubstr("$.vcpus[0].registers.pc")));
  EXPECT_THAT(found, Contains(HasSubstr("$.guest.surprise")));
}

}  // namespace
}  // namespace xstack
