// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remote/server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/xml.h"
#include "remote/packet.h"

namespace xstack::remote {
namespace {

// Errors are numbers of errno.h in GDB's eyes, or text after "E." since GDB 7 shows it.
constexpr const char* kBadRequest = "E16";  // EINVAL
constexpr const char* kNoMemory = "E0e";    // EFAULT
constexpr const char* kReadOnly = "E.the guest is read only: nothing in it can be written, stepped or continued";
constexpr std::size_t kMostMemory = kMaxPacket / 2 - 16;  // in a reply, two digits a byte

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

Server::Server(const Target& target) : target_(target), description_(*target.arch) {}

std::optional<std::string> Server::reply(std::string_view packet) {
  if (packet.empty()) {
    return "";
  }
  const char kind = packet.front();
  std::string_view rest = packet.substr(1);
  switch (kind) {
    case '?':
      return fmt::format("T05thread:{:x};", target_.threads[selected_].id);
    case 'g':
      return description_.values(target_.threads[selected_].regs);
    case 'p': {
      const auto number = parse_hex(rest);
      const auto at = number ? description_.position(*number) : std::nullopt;
      return at ? description_.value(target_.threads[selected_].regs, *at) : std::string(kBadRequest);
    }
    case 'm':
      return read_memory(rest);
    case 'H':
      return select(rest);
    case 'T':
      return find(rest) != nullptr ? "OK" : kBadRequest;
    case 'q':
      return query(rest);
    case 'Q':
      if (rest == "StartNoAckMode") {
        acks_ = false;
        return "OK";
      }
      return "";
    case 'D':
      ended_ = true;
      return "OK";
    case 'k':
      ended_ = true;  // the debugger leaves; the guest stays as it is
      return std::nullopt;
    case 'v':
      if (rest.starts_with("Kill")) {
        ended_ = true;
        return "OK";
      }
      return rest.starts_with("Cont;") ? kReadOnly : "";
    case 'G':
    case 'P':
    case 'M':
    case 'X':
    case 'c':
    case 'C':
    case 's':
    case 'S':
    case 'i':
    case 'R':
    case 'z':
    case 'Z':
      return kReadOnly;
    default:
      return "";
  }
}

std::string Server::query(std::string_view packet) {
  if (take(packet, "Supported")) {
    return fmt::format("PacketSize={:x};qXfer:features:read+;qXfer:threads:read+;QStartNoAckMode+", kMaxPacket);
  }
  if (take(packet, "Xfer:")) {
    return transfer(packet);
  }
  if (packet == "C") {
    return fmt::format("QC{:x}", target_.threads[selected_].id);
  }
  if (packet == "fThreadInfo") {
    return thread_list();
  }
  if (packet == "sThreadInfo") {
    return "l";
  }
  if (take(packet, "ThreadExtraInfo,")) {
    const Thread* thread = find(packet);
    if (thread == nullptr) {
      return kBadRequest;
    }
    const std::string name = escape(thread->name);
    return to_hex(std::as_bytes(std::span(name)));
  }
  if (take(packet, "Attached")) {
    return "1";
  }
  if (packet == "Offsets" && target_.kaslr_offset) {
    return fmt::format("Text={0:x};Data={0:x};Bss={0:x}", *target_.kaslr_offset);
  }
  if (take(packet, "Symbol:")) {
    return "OK";
  }
  return "";
}

/// object:read:annex:offset,length
std::string Server::transfer(std::string_view arguments) const {
  std::string document;
  if (take(arguments, "features:read:target.xml:")) {
    document = description_.xml();
  } else if (take(arguments, "threads:read::")) {
    document = thread_xml();
  } else {
    return arguments.find(":read:") == std::string_view::npos ? "" : "E00";
  }
  const std::size_t comma = arguments.find(',');
  const auto offset = parse_hex(arguments.substr(0, comma));
  const auto length = comma == std::string_view::npos ? std::nullopt : parse_hex(arguments.substr(comma + 1));
  if (!offset || !length || *offset > document.size()) {
    return kBadRequest;
  }
  const auto from = static_cast<std::size_t>(*offset);
  // Half a packet: every byte may need an escape.
  const std::size_t n = std::min<std::size_t>(document.size() - from,
                                              static_cast<std::size_t>(std::min<std::uint64_t>(*length, kMostMemory)));
  return (from + n == document.size() ? "l" : "m") + document.substr(from, n);
}

std::string Server::read_memory(std::string_view arguments) const {
  const std::size_t comma = arguments.find(',');
  const auto at = parse_hex(arguments.substr(0, comma));
  const auto length = comma == std::string_view::npos ? std::nullopt : parse_hex(arguments.substr(comma + 1));
  if (!at || !length) {
    return kBadRequest;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kMostMemory)));
  if (bytes.empty()) {
    return "";
  }
  VirtMemory* memory = target_.threads[selected_].memory;
  // A shorter reply than was asked for says that the rest is not to be had.
  std::size_t read = 0;
  while (memory != nullptr && read < bytes.size()) {
    const GuestVirt here = GuestVirt(*at) + read;
    const auto n = here.value < *at ? tl::expected<std::size_t, Fault>(0)
                                    : memory->read_some(here, std::span(bytes).subspan(read));
    if (!n || *n == 0) {
      break;
    }
    read += *n;
  }
  return read == 0 ? kNoMemory : to_hex(std::span(bytes).first(read));
}

std::string Server::select(std::string_view arguments) {
  if (arguments.empty()) {
    return kBadRequest;
  }
  const char what = arguments.front();
  arguments.remove_prefix(1);
  if (arguments == "0" || arguments == "-1") {
    return "OK";  // any thread, or all of them: the one that is selected will do
  }
  const Thread* thread = find(arguments);
  if (thread == nullptr) {
    return kBadRequest;
  }
  if (what == 'g') {
    selected_ = static_cast<std::size_t>(thread - target_.threads.data());
  }
  return "OK";
}

const Thread* Server::find(std::string_view id) const {
  const auto number = parse_hex(id);
  const auto found = std::find_if(target_.threads.begin(), target_.threads.end(),
                                  [&](const Thread& thread) { return number && thread.id == *number; });
  return found == target_.threads.end() ? nullptr : &*found;
}

/// All threads in one reply, or as many as fit: debuggers that can ask for the XML do.
std::string Server::thread_list() const {
  std::string out = "m";
  for (const Thread& thread : target_.threads) {
    const std::string id = fmt::format("{}{:x}", out.size() == 1 ? "" : ",", thread.id);
    if (out.size() + id.size() > kMaxPacket - 8) {
      break;
    }
    out += id;
  }
  return out;
}

std::string Server::thread_xml() const {
  std::string out = "<?xml version=\"1.0\"?>\n<threads>\n";
  for (const Thread& thread : target_.threads) {
    out += fmt::format("<thread id=\"{:x}\" name=\"{}\"/>\n", thread.id, escape_xml(thread.name));
  }
  return out + "</threads>\n";
}

}  // namespace xstack::remote
