// SPDX-License-Identifier: LGPL-2.1-or-later
// What a debugger sends: the input is a stream of packets as they come from a socket; with a first byte that is odd,
// each line of the rest is one packet's contents, so that packets with a right checksum are tried as well.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "remote/packet.h"
#include "remote/server.h"

namespace {

using namespace xstack;

/// Every byte below 64 KiB is there.
class SomeMemory final : public VirtMemory {
 public:
  tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    if (at.value >= 65536) {
      return tl::unexpected(Fault{FaultKind::unmapped, at.value});
    }
    const std::size_t n = std::min<std::size_t>(out.size(), 65536 - at.value);
    std::fill_n(out.begin(), n, std::byte{0x5a});
    return n;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  SomeMemory memory;
  remote::Target target;
  constexpr std::array kIds{ArchId::arm32, ArchId::arm64, ArchId::x86_32, ArchId::x86_64};
  target.arch = &arch_ops(kIds[data[0] >> 1 & 3]);
  target.threads = {{.id = 1, .name = "one", .regs = {}, .memory = &memory},
                    {.id = 2, .name = "<&\"\x1b", .regs = {}, .memory = &memory}};
  target.kaslr_offset = 0x1000;
  remote::Server server(target);
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto ask = [&](std::string_view packet) {
    const auto reply = server.reply(packet);
    if (reply && remote::frame_packet(*reply).size() > 2 * remote::kMaxPacket + 4) {
      std::abort();  // longer than any debugger was told to expect
    }
  };
  if ((data[0] & 1) != 0) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      ask(line);
      text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return 0;
  }
  remote::PacketReader reader;
  reader.feed(text);
  while (const auto event = reader.next()) {
    if (event->kind == remote::Event::Kind::packet) {
      ask(event->data);
    }
  }
  return 0;
}
