// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>

#include "base/error.h"
#include "guest/dump/unique_fd.h"
#include "remote/server.h"

namespace xstack::remote {

/// Asked a few times a second whether to stop.
using Stop = std::function<bool()>;

/// A socket that listens on 127.0.0.1 alone: whoever may connect reads all of the guest's memory. Port 0 is any that is
/// free. Errors: io.
struct Listener {
  UniqueFd socket;
  std::uint16_t port = 0;
};
[[nodiscard]] Result<Listener> listen_on_loopback(std::uint16_t port);

/// Waits for one debugger. Errors: interrupted, io.
[[nodiscard]] Result<UniqueFd> accept_one(const Listener& listener, const Stop& stop);

/// Answers packets from `in` on `out` until the debugger detaches or goes away. Errors: interrupted, io.
[[nodiscard]] Result<void> serve(Server& server, int in, int out, const Stop& stop);

}  // namespace xstack::remote
