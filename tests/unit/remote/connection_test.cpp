// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remote/connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "remote/packet.h"
#include "tests/support/fake_memory.h"

namespace xstack::remote {
namespace {

class Pair {
 public:
  Pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    debugger = UniqueFd(fds[0]);
    guest = UniqueFd(fds[1]);
  }
  void say(const std::string& text) const {
    ASSERT_EQ(::write(debugger.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string hear() const {
    std::array<char, 4096> bytes{};
    const ssize_t n = ::recv(debugger.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    return {bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
  }
  UniqueFd debugger;
  UniqueFd guest;
};

Target one_thread(VirtMemory& memory) {
  Target target;
  target.arch = &arch_ops(ArchId::arm64);
  target.threads.push_back({.id = 1, .name = "vCPU 0", .regs = {}, .memory = &memory});
  return target;
}

TEST(Connection, AcksUntilToldNotTo) {
  test::FakeVirt memory;
  const Target target = one_thread(memory);
  Server server(target);
  const Pair pair;
  pair.say(frame_packet("qC") + "$bad#00" + frame_packet("QStartNoAckMode") + frame_packet("qC") + frame_packet("D"));
  ASSERT_TRUE(serve(server, pair.guest.get(), pair.guest.get(), {}));
  EXPECT_EQ(pair.hear(),
            "+" + frame_packet("QC1") + "-" + "+" + frame_packet("OK") + frame_packet("QC1") + frame_packet("OK"));
}

TEST(Connection, ADebuggerThatGoesIsNoError) {
  test::FakeVirt memory;
  const Target target = one_thread(memory);
  Server server(target);
  Pair pair;
  pair.debugger = UniqueFd();
  EXPECT_TRUE(serve(server, pair.guest.get(), pair.guest.get(), {}));
}

TEST(Connection, StopsWhenAsked) {
  test::FakeVirt memory;
  const Target target = one_thread(memory);
  Server server(target);
  const Pair pair;
  const auto done = serve(server, pair.guest.get(), pair.guest.get(), [] { return true; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::interrupted);
}

TEST(Connection, ListensOnLoopbackAloneUnlessTold) {
  const auto listener = listen_on(kLoopback, 0);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(listener->loopback);
  EXPECT_NE(listener->port, 0);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ASSERT_EQ(::getsockname(listener->socket.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  EXPECT_EQ(bound.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  const auto everywhere = listen_on("0.0.0.0", 0);
  ASSERT_TRUE(everywhere) << everywhere.error().message;
  EXPECT_FALSE(everywhere->loopback);
  const auto name = listen_on("localhost", 0);
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code, Errc::usage);
  const auto taken = listen_on(kLoopback, listener->port);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::io);
  EXPECT_FALSE(accept_one(*listener, [] { return true; }));
}

}  // namespace
}  // namespace xstack::remote
