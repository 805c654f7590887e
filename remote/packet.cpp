// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remote/packet.h"

#include <charconv>

namespace xstack::remote {
namespace {

constexpr char kEscape = '}';
constexpr char kEscapeFlip = 0x20;
constexpr char kDigits[] = "0123456789abcdef";

unsigned checksum(std::string_view data) {
  unsigned sum = 0;
  for (const char c : data) {
    sum += static_cast<unsigned char>(c);
  }
  return sum & 0xff;
}

std::string unescape(std::string_view data) {
  std::string out;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] == kEscape && i + 1 < data.size()) {
      out.push_back(static_cast<char>(data[++i] ^ kEscapeFlip));
    } else {
      out.push_back(data[i]);
    }
  }
  return out;
}

}  // namespace

void PacketReader::feed(std::span<const char> bytes) {
  buffer_.append(bytes.data(), bytes.size());
}

std::optional<Event> PacketReader::next() {
  while (!buffer_.empty()) {
    const char first = buffer_.front();
    if (first != '$') {
      buffer_.erase(0, 1);
      switch (first) {
        case '+':
          return Event{Event::Kind::ack, {}};
        case '-':
          return Event{Event::Kind::nack, {}};
        case '\x03':
          return Event{Event::Kind::interrupt, {}};
        default:
          continue;
      }
    }
    const std::size_t end = buffer_.find('#');
    if (end == std::string::npos ? buffer_.size() > kMaxPacket : end > kMaxPacket) {
      buffer_.erase(0, end == std::string::npos ? buffer_.size() : end + 1);
      return Event{Event::Kind::bad, {}};
    }
    if (end == std::string::npos || buffer_.size() < end + 3) {
      return std::nullopt;
    }
    const std::string_view data = std::string_view(buffer_).substr(1, end - 1);
    const auto sum = parse_hex(std::string_view(buffer_).substr(end + 1, 2));
    Event event{Event::Kind::bad, {}};
    if (sum && *sum == checksum(data)) {
      event = {Event::Kind::packet, unescape(data)};
    }
    buffer_.erase(0, end + 3);
    return event;
  }
  return std::nullopt;
}

std::string frame_packet(std::string_view data) {
  std::string out = "$";
  for (const char c : data) {
    if (c == '$' || c == '#' || c == kEscape || c == '*') {
      out.push_back(kEscape);
      out.push_back(static_cast<char>(c ^ kEscapeFlip));
    } else {
      out.push_back(c);
    }
  }
  const unsigned sum = checksum(std::string_view(out).substr(1));
  out.push_back('#');
  out.push_back(kDigits[sum >> 4]);
  out.push_back(kDigits[sum & 15]);
  return out;
}

std::string to_hex(std::span<const std::byte> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    out.push_back(kDigits[std::to_integer<unsigned>(b) >> 4]);
    out.push_back(kDigits[std::to_integer<unsigned>(b) & 15]);
  }
  return out;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return !text.empty() && error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                                   : std::nullopt;
}

}  // namespace xstack::remote
