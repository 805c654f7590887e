// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/source_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "linux/build_id_check.h"
#include "linux/vmcoreinfo.h"
#include "symbols/symbol_file.h"
#include "tools/naming.h"

namespace xstack {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kSlide = 0x40000000;

std::string fixture(const std::string& name) {
  return std::string(XSTACK_FIXTURES "/") + name;
}

/// Functions at run-time addresses, all of them code.
class FakeCode final : public CodeInfo {
 public:
  std::optional<CodeSymbol> function_at(GuestVirt address) override {
    const auto above = functions.upper_bound(address.value);
    return above == functions.begin() ? std::nullopt : std::optional(std::prev(above)->second);
  }
  std::optional<bool> is_code(GuestVirt) override { return true; }
  std::optional<GuestVirt> address_of(std::string_view name) override {
    for (const auto& [start, function] : functions) {
      if (function.name == name) {
        return GuestVirt(start);
      }
    }
    return std::nullopt;
  }
  void add(const std::string& name, std::uint64_t start, const std::string& module = {}) {
    functions[start] = CodeSymbol{name, GuestVirt(start), 0, module};
  }
  std::map<std::uint64_t, CodeSymbol> functions;
};

class FakeKernel final : public Kernel {
 public:
  CodeInfo& code() override { return code_; }
  const UnwindTables& unwind_tables() const override { return unwind_; }
  const std::optional<std::string>& release() const override { return release_; }
  const std::optional<std::string>& banner() const override { return nothing_; }
  const std::optional<std::string>& build_id() const override { return build_id_; }
  std::optional<std::uint64_t> kaslr_offset() const override { return kSlide; }
  std::optional<GuestVirt> kernel_start() const override { return std::nullopt; }
  const std::vector<KernelModule>& modules() const override { return modules_; }
  const std::vector<std::string>& symbol_sources() const override { return none_; }
  const std::vector<std::string>& elf_files() const override { return elf_files_; }
  const std::vector<std::string>& warnings() const override { return none_; }
  const std::vector<std::shared_ptr<const Translation>>& kernel_translations() const override { return translations_; }
  const std::optional<Vmcoreinfo>& vmcoreinfo() const override { return vmcoreinfo_; }
  [[nodiscard]] std::optional<PhysicalPlace> physical_place() const override { return std::nullopt; }
  std::optional<GuestVirt> data_begin() const override { return std::nullopt; }
  std::optional<CodeSymbol> symbol_at(GuestVirt /*address*/) override { return std::nullopt; }
  std::optional<std::uint32_t> module_taints() override { return std::nullopt; }
  const TaskLayout* task_layout() override { return nullptr; }
  const std::string& no_task_layout() const override { return no_tasks_; }
  const std::vector<GuestVirt>& known_tasks() const override { return tasks_; }
  void remember_task(GuestVirt task) override { tasks_.push_back(task); }
  std::map<std::string, std::string> facts() const override { return {}; }

  FakeCode code_;
  UnwindTables unwind_;
  std::optional<std::string> release_ = "6.1";
  std::optional<std::string> nothing_;
  std::optional<Vmcoreinfo> vmcoreinfo_;
  std::optional<std::string> build_id_;
  std::vector<KernelModule> modules_;
  std::vector<std::string> none_;
  std::vector<std::string> elf_files_;
  std::string no_tasks_ = "no tasks here";
  std::vector<GuestVirt> tasks_;
  std::vector<std::shared_ptr<const Translation>> translations_;
};

/// A guest whose kernel is the linked fixture, slid, with a folder for debug files.
class Lines : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "xstack-lines-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    auto file = DebugFile::open(fixture("dwarf5.elf"), std::nullopt);
    ASSERT_TRUE(file) << file.error().message;
    arch = (*file)->arch();
    build_id = (*file)->build_id().value();
    static constexpr std::array<std::string_view, 2> kNames = {"outer", "other"};
    const auto symbols = (*file)->symbols_named(kNames);
    outer = symbols.address_of("outer").value() + kSlide;
    kernel.build_id_ = build_id;
    kernel.code_.add("outer", outer);
    kernel.code_.add("other", symbols.address_of("other").value() + kSlide);
  }
  void TearDown() override { fs::remove_all(folder); }

  void copy(const std::string& name, const std::string& path) {
    fs::create_directories((folder / path).parent_path());
    fs::copy_file(fixture(name), folder / path);
  }
  std::string in_build_id_tree(const std::string& id) const {
    return ".build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug";
  }
  LineSources sources() {
    return {{folder.string()}, false, false, [this](const std::string& id) -> Result<std::string> {
              asked.push_back(id);
              return server_has.empty() ? Result<std::string>(fail(Errc::not_found, "nobody has it")) : server_has;
            }};
  }

  fs::path folder;
  FakeKernel kernel;
  ArchId arch{};
  std::string build_id;
  std::uint64_t outer = 0;
  std::vector<std::string> asked;
  std::string server_has;
};

TEST_F(Lines, OfTheKernelByItsBuildId) {
  copy("dwarf5.elf", in_build_id_tree(build_id));
  SourceLines lines(kernel, arch, sources());
  EXPECT_THAT(lines.files(), IsEmpty()) << "opened when it is needed";
  const auto places = lines.places_at(GuestVirt(outer));
  ASSERT_FALSE(places.empty());
  EXPECT_EQ(places.back().function, "outer");
  EXPECT_THAT(places.back().file.value_or(""), EndsWith("fixture.c"));
  EXPECT_THAT(lines.files(), ElementsAre((folder / in_build_id_tree(build_id)).string()));
  EXPECT_THAT(lines.warnings(), IsEmpty());
}

TEST_F(Lines, AFileOfAnotherBuildIsRefusedUnlessForced) {
  copy("dwarf4.elf", "boot/vmlinux-6.1");
  SourceLines lines(kernel, arch, sources());
  EXPECT_THAT(lines.places_at(GuestVirt(outer)), IsEmpty());
  ASSERT_EQ(lines.warnings().size(), 1U);
  EXPECT_THAT(lines.warnings()[0], testing::AllOf(HasSubstr(build_id), HasSubstr("--force")));
  auto forced = sources();
  forced.force = true;
  SourceLines all_the_same(kernel, arch, forced);
  EXPECT_FALSE(all_the_same.places_at(GuestVirt(outer)).empty());
  EXPECT_EQ(all_the_same.warnings().size(), 1U);
}

TEST_F(Lines, AGuestThatDoesNotSayItsBuildId) {
  kernel.build_id_.reset();
  copy("dwarf5.elf", "boot/vmlinux-6.1");
  SourceLines lines(kernel, arch, sources());
  EXPECT_FALSE(lines.places_at(GuestVirt(outer)).empty());
  ASSERT_EQ(lines.warnings().size(), 1U);
  EXPECT_THAT(lines.warnings()[0], HasSubstr("not known"));
}

TEST_F(Lines, TheUsersFileComesFirst) {
  copy("dwarf5.elf", in_build_id_tree(build_id));
  kernel.elf_files_ = {fixture("dwarf5.elf")};
  SourceLines lines(kernel, arch, sources());
  EXPECT_FALSE(lines.places_at(GuestVirt(outer)).empty());
  EXPECT_THAT(lines.files(), ElementsAre(fixture("dwarf5.elf")));
}

TEST_F(Lines, ServersAreAskedWhenTheUserWantsIt) {
  server_has = fixture("dwarf5.elf");
  SourceLines quiet(kernel, arch, sources());
  EXPECT_THAT(quiet.places_at(GuestVirt(outer)), IsEmpty());
  EXPECT_THAT(asked, IsEmpty());
  auto wanted = sources();
  wanted.debuginfod = true;
  SourceLines lines(kernel, arch, wanted);
  EXPECT_FALSE(lines.places_at(GuestVirt(outer)).empty());
  EXPECT_FALSE(lines.places_at(GuestVirt(outer + 1)).empty());
  EXPECT_THAT(asked, ElementsAre(build_id)) << "once";
}

TEST_F(Lines, AServerThatSendsAnotherFile) {
  server_has = fixture("dwarf4.elf");
  auto wanted = sources();
  wanted.debuginfod = true;
  SourceLines lines(kernel, arch, wanted);
  EXPECT_THAT(lines.places_at(GuestVirt(outer)), IsEmpty());
  EXPECT_EQ(lines.warnings().size(), 1U);
}

/// The module's functions as the guest has them: the file's, moved.
void load_module(FakeKernel& kernel, std::uint64_t base, std::uint64_t stretch) {
  const auto file = DebugFile::open(fixture("dwarf5.ko"), std::nullopt);
  ASSERT_TRUE(file);
  std::uint64_t first = ~std::uint64_t{0};
  for (const FileFunction& f : (*file)->functions()) {
    first = std::min(first, f.address);
  }
  std::uint64_t extra = 0;
  for (const FileFunction& f : (*file)->functions()) {
    kernel.code_.add(f.name, base + f.address - first + extra, "fixture");
    extra += stretch;
  }
  kernel.modules_ = {KernelModule{"fixture", GuestVirt(0), GuestVirt(base), GuestVirt(base + 0x1000), {}, {}}};
}

TEST_F(Lines, OfAModule) {
  kernel.code_.functions.clear();
  load_module(kernel, 0xbf000000, 0);
  copy("dwarf5.ko", "lib/modules/6.1/kernel/fixture.ko");
  SourceLines lines(kernel, arch, sources());
  const auto places = lines.places_at(*kernel.code_.address_of("other"));
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].function, "other");
  EXPECT_THAT(lines.files(), ElementsAre(EndsWith("/fixture.ko")));
  EXPECT_THAT(lines.warnings(), IsEmpty());
}

TEST_F(Lines, OfAModuleOfAnotherBuild) {
  kernel.code_.functions.clear();
  load_module(kernel, 0xbf000000, 4);
  copy("dwarf5.ko", "lib/modules/6.1/kernel/fixture.ko");
  SourceLines lines(kernel, arch, sources());
  EXPECT_THAT(lines.places_at(*kernel.code_.address_of("other")), IsEmpty());
  EXPECT_THAT(lines.places_at(*kernel.code_.address_of("outer")), IsEmpty());
  ASSERT_EQ(lines.warnings().size(), 1U) << "said once";
  EXPECT_THAT(lines.warnings()[0], HasSubstr("not the file"));
}

TEST_F(Lines, InlinedCallsAreFramesOfTheirOwn) {
  kernel.elf_files_ = {fixture("dwarf5.elf")};
  SourceLines lines(kernel, arch, sources());
  for (std::uint64_t at = outer; at < outer + 64; ++at) {
    if (lines.places_at(GuestVirt(at)).size() == 3) {
      // As a return address, which is looked up one byte before.
      Frame frame;
      frame.pc = GuestVirt(at + 1);
      frame.exact = false;
      frame.found_by = FoundBy::frame;
      frame.stack = "irq";
      std::vector<NamedFrame> frames;
      append_frames(frames, frame, kernel.code_, &lines);
      ASSERT_EQ(frames.size(), 3U);
      EXPECT_EQ(frames[0].symbol, "innermost");
      EXPECT_EQ(frames[0].line, 7U);
      EXPECT_EQ(frames[0].found_by, FoundBy::inlined);
      EXPECT_EQ(frames[0].pc, frame.pc);
      EXPECT_EQ(frames[0].stack, "irq");
      EXPECT_EQ(frames[1].symbol, "middle");
      EXPECT_EQ(frames[1].line, 12U);
      EXPECT_EQ(frames[2].symbol, "outer");
      EXPECT_EQ(frames[2].line, 17U);
      EXPECT_EQ(frames[2].found_by, FoundBy::frame);
      EXPECT_EQ(frames[2].offset, at + 1 - outer);
      return;
    }
  }
  FAIL() << "nothing was inlined";
}

TEST(BuildIdCheck, OnlyADifferenceRefuses) {
  EXPECT_TRUE(check_build_id("aa", "aa", false).usable);
  EXPECT_FALSE(check_build_id("aa", "aa", false).remark);
  const auto differ = check_build_id("aa11", "bb22", false);
  EXPECT_FALSE(differ.usable);
  EXPECT_THAT(differ.remark.value_or(""), testing::AllOf(HasSubstr("aa11"), HasSubstr("bb22")));
  EXPECT_TRUE(check_build_id("aa11", "bb22", true).usable);
  EXPECT_TRUE(check_build_id(std::nullopt, "bb", false).usable);
  EXPECT_TRUE(check_build_id(std::nullopt, "bb", false).remark);
  EXPECT_TRUE(check_build_id("aa", std::nullopt, false).usable);
  EXPECT_TRUE(check_build_id("aa", std::nullopt, false).remark);
}

}  // namespace
}  // namespace xstack
