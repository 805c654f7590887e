// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "guest/dump/unique_fd.h"
#include "remote/server.h"

namespace xstack::remote {

/// Asked a few times a second whether to stop.
using Stop = std::function<bool()>;

/// Where nothing but this machine can connect: whoever may reads all of the guest's memory.
inline constexpr const char* kLoopback = "127.0.0.1";

/// A socket that listens on one address.
struct Listener {
  UniqueFd socket;
  std::uint16_t port = 0;
  std::string address;    ///< as it is written
  bool loopback = false;  ///< nothing but this machine can connect
};
/// `address` is a number of IPv4 or IPv6: names are not looked up. Port 0 is any that is free. Errors: usage (no such
/// address), io.
[[nodiscard]] Result<Listener> listen_on(const std::string& address, std::uint16_t port);

/// Waits for one debugger. Errors: interrupted, io.
[[nodiscard]] Result<UniqueFd> accept_one(const Listener& listener, const Stop& stop);

/// Answers packets from `in` on `out` until the debugger detaches or goes away. Errors: interrupted, io.
[[nodiscard]] Result<void> serve(Server& server, int in, int out, const Stop& stop);

}  // namespace xstack::remote
