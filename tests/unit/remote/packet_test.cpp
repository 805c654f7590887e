// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remote/packet.h"

#include <gtest/gtest.h>

namespace xstack::remote {
namespace {

using Kind = Event::Kind;

TEST(Packet, ComesInPieces) {
  PacketReader reader;
  for (const char c : std::string("+$m1000,4#8e")) {
    reader.feed(std::span(&c, 1));
    if (c == '+') {
      ASSERT_EQ(reader.next()->kind, Kind::ack);
    } else if (c != 'e') {
      EXPECT_FALSE(reader.next());
    }
  }
  const auto event = reader.next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Kind::packet);
  EXPECT_EQ(event->data, "m1000,4");
  EXPECT_FALSE(reader.next());
}

TEST(Packet, WrongChecksumIsBad) {
  PacketReader reader;
  const std::string text = "$g#68$g#67\x03-";
  reader.feed(text);
  EXPECT_EQ(reader.next()->kind, Kind::bad);
  EXPECT_EQ(reader.next()->kind, Kind::packet);
  EXPECT_EQ(reader.next()->kind, Kind::interrupt);
  EXPECT_EQ(reader.next()->kind, Kind::nack);
  EXPECT_FALSE(reader.next());
}

TEST(Packet, EscapesBothWays) {
  const std::string data = "a$b#c}d*e";
  PacketReader reader;
  const std::string framed = frame_packet(data);
  EXPECT_EQ(framed.find('*'), std::string::npos);
  reader.feed(framed);
  EXPECT_EQ(reader.next()->data, data);
}

TEST(Packet, OneThatDoesNotEndIsDropped) {
  PacketReader reader;
  reader.feed(std::string("$") + std::string(kMaxPacket + 10, 'x'));
  EXPECT_EQ(reader.next()->kind, Kind::bad);
  EXPECT_FALSE(reader.next());
  reader.feed(frame_packet("g"));
  EXPECT_EQ(reader.next()->data, "g");
}

TEST(Packet, Hex) {
  EXPECT_EQ(parse_hex("ffffffffffffffff"), ~0ULL);
  EXPECT_FALSE(parse_hex("10000000000000000"));
  EXPECT_FALSE(parse_hex(""));
  EXPECT_FALSE(parse_hex("12g"));
  EXPECT_FALSE(parse_hex("-1"));
  const std::byte bytes[] = {std::byte{0x0f}, std::byte{0xa0}};
  EXPECT_EQ(to_hex(bytes), "0fa0");
}

}  // namespace
}  // namespace xstack::remote
