// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/printk_ring.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/ring_builder.h"

namespace xstack {
namespace {

using test::FakeVirt;
using test::RingBuilder;
using testing::ElementsAre;
using testing::SizeIs;

std::vector<std::string> texts(const KernelLog& log) {
  std::vector<std::string> all;
  for (const LogRecord& record : log.records) {
    all.push_back(record.text);
  }
  return all;
}

/// Word size, size of struct printk_info, last_finalized_seq.
class Ring : public testing::TestWithParam<std::tuple<unsigned, std::size_t, bool>> {
 protected:
  RingBuilder make(FakeVirt& into, unsigned count_bits = 4, unsigned size_bits = 9) const {
    return {into, std::get<0>(GetParam()), std::get<1>(GetParam()), count_bits, size_bits, std::get<2>(GetParam())};
  }
  KernelLog read(FakeVirt& from, const RingBuilder& ring, const LogLimits& limits = {}) const {
    const auto opened = open_ring(from, ring.at(), ring.layout());
    EXPECT_TRUE(opened);
    return opened ? read_ring(from, *opened, limits) : KernelLog{};
  }
  FakeVirt memory;
};

INSTANTIATE_TEST_SUITE_P(Layouts, Ring,
                         testing::Values(std::tuple(4U, 88U, true), std::tuple(4U, 112U, true),
                                         std::tuple(4U, 108U, true), std::tuple(4U, 88U, false),
                                         std::tuple(8U, 88U, true), std::tuple(8U, 112U, true),
                                         std::tuple(8U, 88U, false), std::tuple(8U, 136U, true)));

TEST_P(Ring, ReadsWhatWasPrinted) {
  RingBuilder ring = make(memory);
  ring.add("Linux version 6");
  ring.add("two\nlines", 1, 3, 0x80000002U);
  ring.add("");
  const KernelLog log = read(memory, ring);
  ASSERT_THAT(texts(log), ElementsAre("Linux version 6", "two\nlines", ""));
  EXPECT_EQ(log.records[0].seq, 0U);
  EXPECT_EQ(log.records[1].time_ns, 1'000'001'000U);
  EXPECT_EQ(log.records[0].tid, 1U);
  EXPECT_EQ(log.records[0].level, 6U);
  EXPECT_EQ(log.records[1].cpu, 2U);
  EXPECT_EQ(log.records[1].level, 3U);
  EXPECT_EQ(log.lost, 0U);
  EXPECT_EQ(log.unreadable, 0U);
}

TEST_P(Ring, WrapsManyTimes) {
  RingBuilder ring = make(memory);
  for (unsigned i = 0; i < 500; ++i) {
    ring.add(fmt::format("record {:03} {}", i, std::string(i * 7 % 60, 'x')));
  }
  const KernelLog log = read(memory, ring);
  ASSERT_GT(log.records.size(), 4U);
  EXPECT_EQ(log.unreadable, 0U);
  for (std::size_t i = 0; i < log.records.size(); ++i) {
    const unsigned n = static_cast<unsigned>(500 - log.records.size() + i);
    EXPECT_EQ(log.records[i].text, fmt::format("record {:03} {}", n, std::string(n * 7 % 60, 'x')));
    EXPECT_EQ(log.records[i].seq, n);
  }
  EXPECT_EQ(log.lost, 500 - log.records.size());
}

TEST_P(Ring, LeavesHalfWrittenRecordsOut) {
  RingBuilder ring = make(memory);
  ring.add("whole");
  ring.add("being written", 0);
  ring.add("after it");
  const KernelLog log = read(memory, ring);
  EXPECT_THAT(texts(log), ElementsAre("whole", "after it"));
  EXPECT_EQ(log.unfinished, 1U);
}

TEST_P(Ring, TextOfAnotherRecordIsNotShown) {
  RingBuilder ring = make(memory);
  ring.add("whole");
  const auto id = ring.add("overwritten");
  ring.desc(id & 15, 2, id, (0 - 512ULL) & (ring.layout().word_size == 4 ? 0xffffffffU : ~0ULL),
            (0 - 512ULL + 16) & (ring.layout().word_size == 4 ? 0xffffffffU : ~0ULL));
  const KernelLog log = read(memory, ring);
  EXPECT_THAT(texts(log), ElementsAre("whole")) << "its block belongs to the first record";
  EXPECT_EQ(log.unreadable, 1U);
}

TEST_P(Ring, LengthsAndPlacesOutsideAreRefused) {
  RingBuilder ring = make(memory);
  ring.add("a");
  const auto id = ring.add("b");
  memory.put(ring.info(id) + 16, std::uint16_t{0xffff});
  const std::string longer = read(memory, ring).records.at(1).text;
  EXPECT_EQ(longer.substr(0, 1), "b");
  EXPECT_LE(longer.size(), ring.layout().word_size) << "no more than its block holds";
  for (const std::uint64_t next : {std::uint64_t{0}, std::uint64_t{1} << 30, std::uint64_t{8}, std::uint64_t{1}}) {
    ring.desc(id & 15, 2, id, 0xfffffe18, next);
    EXPECT_THAT(texts(read(memory, ring)), ElementsAre("a")) << next;
  }
}

TEST_P(Ring, NewestRecordsWinUnderLimits) {
  RingBuilder ring = make(memory);
  for (unsigned i = 0; i < 10; ++i) {
    ring.add(fmt::format("{}", i));
  }
  const KernelLog log = read(memory, ring, {.records = 3, .text_bytes = 1000});
  EXPECT_THAT(texts(log), ElementsAre("7", "8", "9"));
  EXPECT_THAT(log.warnings, SizeIs(1));
  EXPECT_THAT(texts(read(memory, ring, {.records = 100, .text_bytes = 4})), ElementsAre("8", "9"));
}

TEST_P(Ring, ADeviceNameOnAPageThatIsNotThereCostsItAlone) {
  // A dump leaves pages of zeros out; the end of a record's information may lie on one.
  RingBuilder ring = make(memory);
  for (unsigned i = 0; i < 3; ++i) {
    ring.add("x");
  }
  class Holed final : public VirtMemory {
   public:
    Holed(FakeVirt& below, GuestVirt hole) : below_(below), hole_(hole) {}
    tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
      if (at >= hole_ && at < hole_ + 32) {
        return tl::unexpected(Fault{FaultKind::absent, at.value});
      }
      const std::size_t n = at < hole_ ? std::min<std::uint64_t>(out.size(), hole_ - at) : out.size();
      return below_.read_some(at, out.first(n));
    }

   private:
    FakeVirt& below_;
    GuestVirt hole_;
  } holed(memory, ring.info(ring.head()) + 30);
  const auto opened = open_ring(holed, ring.at(), ring.layout());
  ASSERT_TRUE(opened);
  EXPECT_THAT(read_ring(holed, *opened, {}).records, SizeIs(3));
}

TEST_P(Ring, OnlyASaneRingIsOpened) {
  RingBuilder ring = make(memory);
  ring.add("x");
  const auto& layout = ring.layout();
  const auto broken = [&](std::size_t member, std::uint64_t value) {
    const std::uint64_t before = *memory.read_word(ring.at() + member, layout.word_size);
    ring.word(ring.at().value + member, value);
    const bool opened = open_ring(memory, ring.at(), layout).has_value();
    ring.word(ring.at().value + member, before);
    return !opened;
  };
  EXPECT_TRUE(broken(layout.count_bits, 0)) << "a ring of size zero";
  EXPECT_TRUE(broken(layout.count_bits, 60));
  EXPECT_TRUE(broken(layout.size_bits, 0));
  EXPECT_TRUE(broken(layout.size_bits, 63));
  EXPECT_TRUE(broken(layout.head_id, ring.head() + 17)) << "more records than descriptors";
  EXPECT_TRUE(broken(layout.tail_id, ring.head() + 1)) << "tail before head, round the circle";
  EXPECT_TRUE(broken(layout.descs, 0x1000));
  EXPECT_TRUE(broken(layout.infos, 3));
  EXPECT_TRUE(broken(layout.data, 0));
  EXPECT_TRUE(broken(layout.head_lpos, 0x10000));
  EXPECT_TRUE(open_ring(memory, ring.at(), layout).has_value());
}

TEST_P(Ring, SequenceNumbersTellTheSizeOfARecordsInformation) {
  RingBuilder ring = make(memory);
  ring.add("a");
  ring.add("b");
  ring.add("c");
  const auto opened = open_ring(memory, ring.at(), ring.layout());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->layout.info_size, std::get<1>(GetParam()));
  EXPECT_EQ(opened->newest_seq, 2U);
  RingLayout wrong = ring.layout();
  wrong.info_size = std::get<1>(GetParam()) + 8;
  EXPECT_FALSE(open_ring(memory, ring.at(), wrong)) << "a stated size that does not fit";
}

TEST(RingLayout, IsTakenFromVmcoreinfo) {
  const std::string text =
      "OSRELEASE=6.1.0\nPAGESIZE=4096\nOFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET(printk_ringbuffer.text_data_ring)="
      "48\n"
      "OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\nOFFSET(prb_desc_ring.infos)=16\n"
      "OFFSET(prb_desc_ring.head_id)=24\nOFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)=24\n"
      "OFFSET(prb_desc.state_var)=0\nOFFSET(prb_desc.text_blk_lpos)=8\nOFFSET(prb_data_blk_lpos.begin)=0\n"
      "OFFSET(prb_data_blk_lpos.next)=8\nSIZE(printk_info)=112\nOFFSET(printk_info.seq)=0\n"
      "OFFSET(printk_info.ts_nsec)=8\nOFFSET(printk_info.text_len)=16\nOFFSET(printk_info.caller_id)=20\n"
      "OFFSET(printk_info.dev_info)=44\nOFFSET(dev_printk_info.subsystem)=0\nOFFSET(dev_printk_info.device)=16\n"
      "OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\nOFFSET(prb_data_ring.head_lpos)=16\n"
      "OFFSET(prb_data_ring.tail_lpos)=24\n";
  const auto layout = ring_layout(*Vmcoreinfo::parse(text), 8);
  ASSERT_TRUE(layout);
  const RingLayout known = ring_layout(8, true);
  EXPECT_EQ(layout->size_bits, known.size_bits);
  EXPECT_EQ(layout->tail_lpos, known.tail_lpos);
  EXPECT_EQ(layout->next, known.next);
  EXPECT_EQ(layout->info_size, 112U);
  EXPECT_EQ(layout->device, 60U);
  EXPECT_EQ(layout->comm, 28U);
  const std::string less = text.substr(0, text.find("OFFSET(prb_data_ring.tail_lpos)"));
  EXPECT_FALSE(ring_layout(*Vmcoreinfo::parse(less), 8)) << "a line is missing";
}

}  // namespace
}  // namespace xstack
