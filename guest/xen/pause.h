// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/error.h"
#include "guest/guest.h"
#include "guest/xen/libraries.h"

namespace xstack::xen {

/// Pauses a domain until the guard goes. Whatever ends the program in between, the domain runs on:
/// - Signals from outside (SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGTSTP, every one that can be blocked) wait
/// until
///   the guard has gone, and then do what they do. Nothing has to be done from a handler, so this holds every time; the
///   price is that they wait, for which the window is kept short. The calling thread must be the only one that takes
///   signals: a process with threads of its own starts them after, or with all signals blocked.
/// - Faults of the program itself (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS) are caught, undo the pause as best
///   they can, and then end the program as they would have. exit() undoes it as well.
/// - SIGKILL and SIGSTOP cannot be helped.
/// One domain is paused at a time; a second guard meanwhile does nothing. Errors: vanished, io.
[[nodiscard]] Result<std::unique_ptr<PauseGuard>> pause_domain(std::shared_ptr<Host> host, std::uint32_t domid);

/// The guard that does nothing.
[[nodiscard]] std::unique_ptr<PauseGuard> no_pause();

}  // namespace xstack::xen
