// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xstack::remote {

/// What a debugger may send at most in one packet; ours are no longer either (PacketSize of qSupported).
inline constexpr std::size_t kMaxPacket = 16384;

/// What the bytes from a debugger amount to, one thing at a time.
struct Event {
  enum class Kind : std::uint8_t {
    packet,     ///< `data` is its contents, escapes undone
    bad,        ///< a packet whose checksum is wrong, or that is too long: ask for it again
    ack,        ///< +
    nack,       ///< -
    interrupt,  ///< Ctrl-C (0x03)
  };
  Kind kind{};
  std::string data;
};

/// Takes a stream of the GDB remote serial protocol apart: `$data#checksum`. Bytes between packets that mean nothing
/// are skipped. Bounded: a packet that does not end within kMaxPacket bytes is bad.
class PacketReader {
 public:
  void feed(std::span<const char> bytes);
  /// The next event, as far as bytes have come in.
  [[nodiscard]] std::optional<Event> next();

 private:
  std::string buffer_;
};

/// `data` as a packet, escaped where it must be.
[[nodiscard]] std::string frame_packet(std::string_view data);

/// Two lower-case hexadecimal digits for each byte, in memory's order.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);

/// A hexadecimal number that is all of `text`: 1 to 16 digits.
[[nodiscard]] std::optional<std::uint64_t> parse_hex(std::string_view text);

}  // namespace xstack::remote
