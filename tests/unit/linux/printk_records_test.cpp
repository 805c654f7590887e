// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/printk_records.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using test::FakeVirt;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr GuestVirt kBuffer(0xc1000000);
constexpr unsigned kNewline = 2;
constexpr unsigned kPrefix = 4;
constexpr unsigned kCont = 8;

std::vector<std::string> texts(const KernelLog& log) {
  std::vector<std::string> all;
  for (const LogRecord& record : log.records) {
    all.push_back(record.text);
  }
  return all;
}

/// log_store() of kernel/printk/printk.c, 3.5 to 5.9.
class Writer {
 public:
  Writer(FakeVirt& memory, std::uint32_t size, std::size_t header, std::size_t align)
      : memory_(memory), header_(header), align_(align), buffer{kBuffer, size, 0, 0, 0} {
    for (std::uint32_t i = 0; i < size; i += kXenPageSize) {
      memory.touch(kBuffer + i);
    }
  }
  void add(std::string_view text, std::string_view dict = {}, unsigned flags = kNewline | kPrefix, unsigned level = 6) {
    const std::size_t bare = header_ + text.size() + dict.size();
    const std::size_t length = (bare + align_ - 1) / align_ * align_;
    while (!room(length)) {
      drop();
    }
    if (buffer.next + length + header_ > buffer.size) {
      clear(buffer.next, header_);
      buffer.next = 0;
    }
    const GuestVirt at = kBuffer + buffer.next;
    clear(buffer.next, length);
    memory_.put(at, time_ += 1'000'000);
    memory_.put(at + 8, static_cast<std::uint16_t>(length));
    memory_.put(at + 10, static_cast<std::uint16_t>(text.size()));
    memory_.put(at + 12, static_cast<std::uint16_t>(dict.size()));
    memory_.put(at + 15, static_cast<std::uint8_t>(level << 5 | flags));
    if (header_ > 16) {
      memory_.put(at + 16, 0x80000003U);
    }
    memory_.put_bytes(at + header_, std::as_bytes(std::span(text.data(), text.size())));
    memory_.put_bytes(at + header_ + text.size(), std::as_bytes(std::span(dict.data(), dict.size())));
    buffer.next += static_cast<std::uint32_t>(length);
    ++count_;
  }

 private:
  [[nodiscard]] bool room(std::size_t length) const {
    const std::uint64_t first = *buffer.first;
    const std::uint64_t free =
        buffer.next > first || count_ == 0 ? std::max(buffer.size - buffer.next, first) : first - buffer.next;
    return free >= length + header_;
  }
  void drop() {
    if (*memory_.read_value<std::uint16_t>(kBuffer + *buffer.first + 8) == 0) {
      buffer.first = 0;
    }
    *buffer.first += *memory_.read_value<std::uint16_t>(kBuffer + *buffer.first + 8);
    if (*memory_.read_value<std::uint16_t>(kBuffer + *buffer.first + 8) == 0 && *buffer.first != buffer.next) {
      buffer.first = 0;
    }
    ++*buffer.first_seq;
    --count_;
  }
  void clear(std::uint64_t at, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) {
      memory_.put(kBuffer + at + i, std::uint8_t{0});
    }
  }
  FakeVirt& memory_;
  std::size_t header_;
  std::size_t align_;
  std::uint64_t time_ = 0;
  unsigned count_ = 0;

 public:
  RecordBuffer buffer;
};

/// Header size (16, 20 and 24 with caller_id) and alignment.
class Records : public testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {
 protected:
  Writer make(std::uint32_t size = 8192) { return {memory, size, std::get<0>(GetParam()), std::get<1>(GetParam())}; }
  FakeVirt memory;
};

INSTANTIATE_TEST_SUITE_P(Layouts, Records,
                         testing::Values(std::tuple(16U, 4U), std::tuple(16U, 8U), std::tuple(20U, 4U),
                                         std::tuple(24U, 8U)));

TEST_P(Records, ReadsWhatWasPrinted) {
  Writer log = make();
  log.add("Linux version 4");
  log.add("two\nlines", {}, kNewline | kPrefix, 3);
  log.add("usb thing", std::string_view("SUBSYSTEM=usb\0DEVICE=+usb:1", 27));
  log.add("12345678");
  const KernelLog read = read_records(memory, log.buffer, {});
  ASSERT_THAT(texts(read), ElementsAre("Linux version 4", "two\nlines", "usb thing", "12345678"));
  EXPECT_EQ(read.records[1].level, 3U);
  EXPECT_EQ(read.records[1].time_ns, 2'000'000U);
  EXPECT_EQ(read.records[2].subsystem, "usb");
  EXPECT_EQ(read.records[2].device, "+usb:1");
  EXPECT_EQ(read.records[3].seq, 3U);
  EXPECT_EQ(read.records[0].cpu.has_value(), std::get<0>(GetParam()) > 16);
  EXPECT_THAT(read.warnings, IsEmpty());
}

TEST_P(Records, Wraps) {
  Writer log = make(4096);
  for (unsigned i = 0; i < 700; ++i) {
    log.add(fmt::format("record {:03} {}", i, std::string(i * 5 % 37, 'x')));
    const KernelLog read = read_records(memory, log.buffer, {});
    ASSERT_THAT(read.warnings, IsEmpty()) << i;
    ASSERT_FALSE(read.records.empty());
    for (std::size_t k = 0; k < read.records.size(); ++k) {
      const unsigned n = static_cast<unsigned>(i + 1 - read.records.size() + k);
      ASSERT_EQ(read.records[k].text, fmt::format("record {:03} {}", n, std::string(n * 5 % 37, 'x'))) << i;
      ASSERT_EQ(read.records[k].seq, n);
    }
  }
}

TEST_P(Records, OrderIsToldByTimeWhenNobodySaysWhereTheOldestIs) {
  Writer log = make(4096);
  for (unsigned i = 0; i < 300; ++i) {
    log.add(fmt::format("record {:03} {}", i, std::string(i * 5 % 37, 'x')));
  }
  RecordBuffer unplaced = log.buffer;
  unplaced.first.reset();
  unplaced.first_seq.reset();
  const KernelLog placed = read_records(memory, log.buffer, {});
  const auto read = texts(read_records(memory, unplaced, {}));
  ASSERT_GE(read.size(), placed.records.size());
  EXPECT_EQ(std::vector(read.end() - static_cast<std::ptrdiff_t>(placed.records.size()), read.end()), texts(placed));
}

TEST_P(Records, PiecesOfOneLineAreJoined) {
  Writer log = make();
  log.add("a ", {}, kPrefix | kCont);
  log.add("b ", {}, kCont);
  log.add("c", {}, kCont | kNewline);
  log.add("d", {}, kCont | kNewline);
  const KernelLog read = read_records(memory, log.buffer, {});
  ASSERT_THAT(read.records, SizeIs(4));
  EXPECT_FALSE(read.records[0].joined);
  EXPECT_TRUE(read.records[1].joined);
  EXPECT_TRUE(read.records[2].joined);
  EXPECT_FALSE(read.records[3].joined) << "the line before it has ended";
}

TEST_P(Records, ABrokenChainIsTakenUpAgain) {
  Writer log = make();
  for (unsigned i = 0; i < 20; ++i) {
    log.add(fmt::format("record {:02}", i));
  }
  const std::uint32_t one = log.buffer.next / 20;
  memory.put(kBuffer + 5 * one + 8, std::uint16_t{3});
  const KernelLog read = read_records(memory, log.buffer, {});
  EXPECT_THAT(read.records, SizeIs(19));
  EXPECT_EQ(read.records.back().text, "record 19");
  EXPECT_THAT(read.warnings, SizeIs(1));
}

TEST(RecordBuffer, HostileSizesAndPositionsEnd) {
  FakeVirt memory;
  memory.touch(kBuffer);
  EXPECT_THAT(read_records(memory, {kBuffer, 0, 0, 0, 0}, {}).warnings, SizeIs(1));
  EXPECT_THAT(read_records(memory, {kBuffer, std::uint64_t{1} << 40, 0, 0, 0}, {}).warnings, SizeIs(1));
  EXPECT_THAT(read_records(memory, {kBuffer, 4096, 8192, 0, 0}, {}).warnings, SizeIs(1));
  EXPECT_THAT(read_records(memory, {kBuffer, 4096, 16, 4000, 0}, {}).records, IsEmpty()) << "all zeros";
  for (std::uint32_t at = 0; at < 4096; at += 16) {
    memory.put(kBuffer + at + 8, std::uint16_t{16});
  }
  const KernelLog circle = read_records(memory, {kBuffer, 4096, 32, 8, 0}, {});
  EXPECT_LE(circle.records.size(), 256U) << "an end that is never met";
}

TEST_P(Records, NewestWinUnderLimits) {
  Writer log = make();
  for (unsigned i = 0; i < 9; ++i) {
    log.add(fmt::format("{}", i));
  }
  EXPECT_THAT(texts(read_records(memory, log.buffer, {.records = 2, .text_bytes = 100})), ElementsAre("7", "8"));
  EXPECT_THAT(texts(read_records(memory, log.buffer, {.records = 9, .text_bytes = 6})), ElementsAre("6", "7", "8"));
}

}  // namespace
}  // namespace xstack
