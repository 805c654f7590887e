// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "kconfig/config_source.h"
#include "tests/support/json_schema.h"
#include "tools/print/config_printer.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string path_of(const std::string& name) {
  return std::string(XSTACK_CONFIGS) + "/" + name;
}

KernelConfig load(const std::string& name) {
  auto found = read_config_file(path_of(name));
  EXPECT_TRUE(found) << (found ? "" : found.error().message);
  return found ? std::move(found->config) : *KernelConfig::parse("CONFIG_NONE=y");
}

std::set<std::string> missing(const RoleCheck& role) {
  std::set<std::string> out;
  for (const CheckedRule& checked : role.rules) {
    if (checked.verdict == RuleVerdict::missing) {
      out.insert(std::string(checked.option));
    }
  }
  return out;
}

/// What a person read in the whole files.
struct Expected {
  const char* name;
  ConfigArch arch;
  RoleVerdict dom0;
  RoleVerdict domu;
  RoleVerdict trace;
  std::set<std::string> missing;  ///< in all roles together
};

const std::set<std::string> kNoXen = {"XEN",
                                      "XEN_DOM0",
                                      "HVC_XEN",
                                      "XEN_PRIVCMD",
                                      "XENFS",
                                      "XEN_DEV_EVTCHN",
                                      "XEN_GNTDEV",
                                      "XEN_BACKEND",
                                      "SWIOTLB_XEN",
                                      "XEN_BLKDEV_BACKEND",
                                      "XEN_NETDEV_BACKEND",
                                      "BRIDGE",
                                      "XEN_BALLOON",
                                      "XEN_GRANT_DEV_ALLOC",
                                      "XEN_COMPAT_XENFS",
                                      "XEN_SYS_HYPERVISOR",
                                      "XEN_BLKDEV_FRONTEND",
                                      "XEN_NETDEV_FRONTEND",
                                      "KALLSYMS_ALL"};

std::set<std::string> with(std::set<std::string> all, const std::string& one) {
  all.insert(one);
  return all;
}

const Expected kExpected[] = {
    {"debian-5.10-armmp",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-5.10-armmp-lpae",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-6.1-armmp",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-6.1-armmp-lpae",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-6.12-armmp",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-6.12-armmp-lpae",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-7.2-armmp",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-7.2-armmp-lpae",
     ConfigArch::arm,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-5.10-arm64",
     ConfigArch::arm64,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-6.1-arm64",
     ConfigArch::arm64,
     RoleVerdict::fit,
     RoleVerdict::fit,
     RoleVerdict::lacks_some,
     {"KALLSYMS_ALL"}},
    {"debian-6.12-arm64", ConfigArch::arm64, RoleVerdict::fit, RoleVerdict::fit, RoleVerdict::fit, {}},
    {"debian-6.12-arm64-16k", ConfigArch::arm64, RoleVerdict::fit, RoleVerdict::fit, RoleVerdict::fit, {}},
    {"debian-7.2-arm64", ConfigArch::arm64, RoleVerdict::fit, RoleVerdict::fit, RoleVerdict::fit, {}},
    {"debian-7.2-arm64-16k", ConfigArch::arm64, RoleVerdict::fit, RoleVerdict::fit, RoleVerdict::fit, {}},
    {"debian-6.1-amd64", ConfigArch::x86, RoleVerdict::fit, RoleVerdict::fit, RoleVerdict::fit, {}},
    {"debian-6.12-amd64", ConfigArch::x86, RoleVerdict::fit, RoleVerdict::fit, RoleVerdict::fit, {}},
    {"sunxi", ConfigArch::arm, RoleVerdict::unfit, RoleVerdict::unfit, RoleVerdict::lacks_some,
     with(kNoXen, "DEBUG_INFO")},
    {"multi_v7", ConfigArch::arm, RoleVerdict::unfit, RoleVerdict::unfit, RoleVerdict::lacks_some,
     with(kNoXen, "DEBUG_INFO")},
    {"sunxi-fixed", ConfigArch::arm, RoleVerdict::fit, RoleVerdict::fit, RoleVerdict::fit, {}},
};

TEST(CheckConfig, RealConfigurations) {
  for (const Expected& expected : kExpected) {
    SCOPED_TRACE(expected.name);
    const KernelConfig config = load(expected.name);
    EXPECT_TRUE(config.complete());
    ASSERT_EQ(config.arch(), expected.arch);
    std::set<std::string> lacking;
    const std::pair<ConfigRole, RoleVerdict> roles[] = {
        {ConfigRole::dom0, expected.dom0}, {ConfigRole::domu, expected.domu}, {ConfigRole::trace, expected.trace}};
    for (const auto& [role, verdict] : roles) {
      const RoleCheck check = check_role(config, expected.arch, role);
      EXPECT_EQ(check.verdict, verdict) << to_string(role);
      lacking.merge(missing(check));
    }
    EXPECT_EQ(lacking, expected.missing);
  }
}

TEST(CheckConfig, ADefconfigIsUndecided) {
  const KernelConfig config = load("sunxi_defconfig");
  EXPECT_FALSE(config.complete());
  EXPECT_EQ(config.arch(), std::nullopt);
  const RoleCheck check = check_role(config, ConfigArch::arm, ConfigRole::dom0);
  EXPECT_EQ(check.verdict, RoleVerdict::undecided);
  EXPECT_THAT(missing(check), IsEmpty());
}

TEST(CheckConfig, AFragmentSaysWhatFollowsFromIt) {
  const auto config = KernelConfig::parse("CONFIG_XEN=y\n");
  const RoleCheck check = check_role(*config, ConfigArch::arm, ConfigRole::dom0);
  for (const CheckedRule& checked : check.rules) {
    if (checked.option == "XEN_DOM0" || checked.option == "ARM_PSCI" || checked.option == "CPU_V6") {
      EXPECT_EQ(checked.verdict, RuleVerdict::met) << checked.option;
    }
    if (checked.option == "HVC_XEN") {
      EXPECT_EQ(checked.verdict, RuleVerdict::unknown);
    }
  }
  const auto off = KernelConfig::parse("CONFIG_XEN=y\n# CONFIG_HVC_XEN is not set\n");
  EXPECT_EQ(check_role(*off, ConfigArch::arm, ConfigRole::domu).verdict, RoleVerdict::unfit) << "before undecided";
}

TEST(CheckConfig, OtherNamesOfOneThing) {
  const std::string head =
      "# Automatically generated file; DO NOT EDIT.\nCONFIG_KALLSYMS=y\nCONFIG_PRINTK=y\n"
      "CONFIG_KALLSYMS_ALL=y\nCONFIG_DEBUG_INFO=y\nCONFIG_PANIC_TIMEOUT=0\nCONFIG_X86_64=y\n";
  const auto trace = [&](const char* more) {
    return check_role(*KernelConfig::parse(head + more), ConfigArch::x86, ConfigRole::trace).verdict;
  };
  EXPECT_EQ(trace("CONFIG_ORC_UNWINDER=y\nCONFIG_KEXEC_CORE=y\n"), RoleVerdict::fit) << "as 4.14 has them";
  EXPECT_EQ(trace("CONFIG_UNWINDER_ORC=y\nCONFIG_VMCORE_INFO=y\n"), RoleVerdict::fit) << "as 6.12 has them";
  EXPECT_EQ(trace("CONFIG_UNWINDER_GUESS=y\nCONFIG_VMCORE_INFO=y\n"), RoleVerdict::unfit);
  EXPECT_EQ(trace("CONFIG_UNWINDER_ORC=m\nCONFIG_VMCORE_INFO=y\n"), RoleVerdict::unfit) << "y is wanted";
}

TEST(CheckConfig, WhatARuleAsksDependsOnTheKernelsAge) {
  const auto verdict = [](const char* version, const char* line) {
    std::string text = "# Automatically generated file; DO NOT EDIT.\n# Linux/arm " + std::string(version) +
                       " Kernel Configuration\nCONFIG_ARM=y\n";
    for (const ConfigRule& rule : config_rules()) {
      if (rule.weight == RuleWeight::required && rule.options.front() != "ARCH_MULTIPLATFORM" &&
          rule.want != RuleWant::off) {
        text += "CONFIG_" + std::string(rule.options.front()) + "=y\n";
      }
    }
    text += "CONFIG_XEN_NETDEV_FRONTEND=y\nCONFIG_XEN_BALLOON=y\n" + std::string(line);
    const RoleCheck check = check_role(*KernelConfig::parse(text), ConfigArch::arm, ConfigRole::domu);
    return std::pair(check.verdict, missing(check));
  };
  using Missing = std::set<std::string>;
  const Missing one_board{"ARCH_MULTIPLATFORM"};
  EXPECT_EQ(verdict("6.0.19", ""), std::pair(RoleVerdict::unfit, one_board)) << "it has no generic machine";
  EXPECT_EQ(verdict("6.1.0", ""), std::pair(RoleVerdict::lacks_some, one_board)) << "it always has";
  EXPECT_EQ(verdict("6.1.0", "CONFIG_ARCH_MULTIPLATFORM=y\n"), std::pair(RoleVerdict::fit, Missing{}));
  EXPECT_EQ(verdict("5.10.0", "CONFIG_ARCH_MULTIPLATFORM=y\nCONFIG_DEBUG_UNCOMPRESS=y\n"),
            std::pair(RoleVerdict::lacks_some, Missing{"DEBUG_UNCOMPRESS"}));
}

TEST(CheckConfig, TheFragmentFitsTheKernelsAge) {
  const auto fragment = [](const char* version) {
    const auto config = KernelConfig::parse("# Automatically generated file; DO NOT EDIT.\n# Linux/arm " +
                                            std::string(version) + " Kernel Configuration\nCONFIG_ARM=y\n");
    const RoleCheck check = check_role(*config, ConfigArch::arm, ConfigRole::trace);
    return config_fragment(*config, {&check, 1});
  };
  EXPECT_THAT(fragment("4.19.0"), HasSubstr("\nCONFIG_ARM_UNWIND=y\n"));
  EXPECT_THAT(fragment("4.19.0"), HasSubstr("\nCONFIG_DEBUG_INFO=y\n"));
  EXPECT_THAT(fragment("6.1.0"), HasSubstr("\nCONFIG_UNWINDER_ARM=y\n"));
  EXPECT_THAT(fragment("6.1.0"), HasSubstr("\n# CONFIG_DEBUG_INFO_NONE is not set\n"));
  EXPECT_THAT(fragment("6.1.0"), Not(HasSubstr("CONFIG_DEBUG_INFO=y")));
}

TEST(CheckConfig, TheFragmentAsksOnceAndSaysWhatFollows) {
  const KernelConfig config = load("sunxi");
  std::vector<RoleCheck> checks;
  for (const ConfigRole role : kConfigRoles) {
    checks.push_back(check_role(config, ConfigArch::arm, role));
  }
  std::istringstream lines(config_fragment(config, checks));
  std::set<std::string> seen;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("#") || line.starts_with("CONFIG_")) << line;
    EXPECT_TRUE(line.starts_with("# d") || seen.insert(line).second) << "twice: " << line;
    EXPECT_TRUE(!line.starts_with("#") || line.ends_with(" is not set") || line.find("CONFIG_") == std::string::npos)
        << "merge_config.sh would take it for a value: " << line;
  }
  EXPECT_TRUE(seen.contains("CONFIG_XEN=y"));
  EXPECT_TRUE(seen.contains("# XEN_DOM0 is on wherever XEN is"));
  const KernelConfig fixed = load("sunxi-fixed");
  for (const std::string& line : seen) {
    const auto equals = line.find('=');
    if (line.starts_with("CONFIG_")) {
      EXPECT_EQ(fixed.value(line.substr(7, equals - 7)), line.substr(equals + 1)) << "kconfig did not take it";
    }
  }
}

TEST(CheckConfig, EveryRuleIsWhole) {
  for (const ConfigRule& rule : config_rules()) {
    SCOPED_TRACE(rule.options.front());
    EXPECT_FALSE(rule.options.front().empty() || rule.reason.empty() || rule.fact.empty());
    EXPECT_TRUE(rule.roles != 0 && rule.archs != 0);
    EXPECT_EQ(rule.fix_since == 0, rule.old_fix.empty());
    EXPECT_THAT(std::string(rule.reason) + std::string(rule.fact), Not(HasSubstr("CONFIG_"))) << "goes into comments";
    EXPECT_TRUE(rule.weight == RuleWeight::harmless || !rule.fix.empty() || !rule.implied_by.empty());
  }
}

TEST(PrintConfig, IsATableAndFollowsItsSchema) {
  const KernelConfig config = load("sunxi");
  ConfigReport report{"a\x1b", "the file", config.version(), ConfigArch::arm, true, std::nullopt, {}};
  for (const ConfigRole role : kConfigRoles) {
    report.roles.push_back(check_role(config, ConfigArch::arm, role));
  }
  const std::string text = print_config(report, false);
  EXPECT_THAT(text,
              testing::StartsWith("a\\x1b: Linux 6.1.192 for arm, from the file\n\ndom0: unfit (9 required missing, 7 "
                                  "recommended missing)\n"));
  EXPECT_THAT(text, HasSubstr("  required     missing     CONFIG_XEN is not set, should be y\n"));
  EXPECT_THAT(text, HasSubstr("  required     ok          CONFIG_AEABI=y\n"));
  EXPECT_THAT(text, HasSubstr("  harmless     either way  CONFIG_PAGE_OFFSET=0xC0000000\n"));
  EXPECT_THAT(print_config(report, true), HasSubstr("CONFIG_AEABI=y\n                           XEN cannot be chosen"));
  std::ifstream in(XSTACK_CONFIG_SCHEMA);
  test::SchemaValidator schema(nlohmann::json::parse(in));
  const auto json = nlohmann::json::parse(print_config_json(report));
  EXPECT_THAT(schema.errors(json), IsEmpty());
  EXPECT_EQ(json["roles"][0]["verdict"], "unfit");
  EXPECT_EQ(json["roles"][0]["options"][0]["verdict"], "missing");
  report.roles = {check_role(load("sunxi_defconfig"), ConfigArch::arm, ConfigRole::domu)};
  report.complete = false;
  report.version.reset();
  EXPECT_THAT(print_config(report, false), HasSubstr("not a complete configuration"));
  EXPECT_THAT(schema.errors(nlohmann::json::parse(print_config_json(report))), IsEmpty());
}

}  // namespace
}  // namespace xstack
