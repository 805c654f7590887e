// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remote/connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "remote/packet.h"

namespace xstack::remote {
namespace {

constexpr int kPollMs = 200;

tl::unexpected<Error> failed(const char* what) {
  return fail(Errc::io, fmt::format("{}: {}", what, std::strerror(errno)));
}

/// Until `fd` has something to read, or its other end has gone.
Result<void> wait_for(int fd, const Stop& stop) {
  for (;;) {
    if (stop && stop()) {
      return fail(Errc::interrupted, "stopped by a signal");
    }
    pollfd entry{fd, POLLIN, 0};
    const int n = ::poll(&entry, 1, kPollMs);
    if (n > 0) {
      return {};
    }
    if (n < 0 && errno != EINTR) {
      return failed("poll");
    }
  }
}

/// False when the other end has gone.
Result<bool> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno == EPIPE || errno == ECONNRESET) {
        return false;
      }
      return failed("the debugger's connection");
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Result<Listener> listen_on(const std::string& address, std::uint16_t port) {
  Listener out;
  out.address = address;
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* four = reinterpret_cast<sockaddr_in*>(&storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, address.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    out.loopback = ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    size = sizeof *four;
  } else if (::inet_pton(AF_INET6, address.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    out.loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) != 0;
    size = sizeof *six;
  } else {
    return fail(Errc::usage, fmt::format("'{}' is no IPv4 or IPv6 address", address));
  }
  out.socket = UniqueFd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!out.socket.valid()) {
    return failed("socket");
  }
  const int on = 1;
  (void)::setsockopt(out.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto* any = reinterpret_cast<sockaddr*>(&storage);
  if (::bind(out.socket.get(), any, size) != 0 || ::listen(out.socket.get(), 1) != 0 ||
      ::getsockname(out.socket.get(), any, &size) != 0) {
    return failed(fmt::format("port {} of {}", port, address).c_str());
  }
  out.port = ntohs(storage.ss_family == AF_INET ? four->sin_port : six->sin6_port);
  return out;
}

Result<UniqueFd> accept_one(const Listener& listener, const Stop& stop) {
  if (auto ready = wait_for(listener.socket.get(), stop); !ready) {
    return tl::unexpected(ready.error());
  }
  UniqueFd peer(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer.valid()) {
    return failed("accept");
  }
  const int on = 1;  // small packets, each waited for
  (void)::setsockopt(peer.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return peer;
}

Result<void> serve(Server& server, int in, int out, const Stop& stop) {
  PacketReader reader;
  std::string last;  // for a debugger that did not get it right
  std::array<char, 4096> bytes{};
  while (!server.ended()) {
    const auto event = reader.next();
    if (!event) {
      if (auto ready = wait_for(in, stop); !ready) {
        return ready;
      }
      const ssize_t n = ::read(in, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n <= 0) {
        return {};  // it has gone: the same as a detach
      }
      reader.feed(std::span(bytes).first(static_cast<std::size_t>(n)));
      continue;
    }
    std::string text;
    switch (event->kind) {
      case Event::Kind::packet: {
        text = server.acks() ? "+" : "";
        if (const auto reply = server.reply(event->data)) {
          last = frame_packet(*reply);
          text += last;
        }
        break;
      }
      case Event::Kind::bad:
        text = server.acks() ? "-" : "";
        break;
      case Event::Kind::nack:
        text = last;
        break;
      case Event::Kind::interrupt:
        last = frame_packet(server.reply("?").value_or(""));
        text = last;  // it stands still already
        break;
      case Event::Kind::ack:
        break;
    }
    const auto written = write_all(out, text);
    if (!written) {
      return tl::unexpected(written.error());
    }
    if (!*written) {
      return {};
    }
  }
  return {};
}

}  // namespace xstack::remote
