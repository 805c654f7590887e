// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace xstack {

/// Why something could not be done. `exit_status()` in tools/ maps each code to the documented exit status.
enum class Errc : std::uint8_t {
  usage,           ///< the command line makes no sense
  no_access,       ///< no privilege, no /dev/xen/privcmd, no Xen at all
  no_such_domain,  ///< neither a name, a domid nor a UUID of a domain
  vanished,        ///< the domain went away while it was read
  unsupported,     ///< understood, but xstack (or this build of it) cannot do it
  bad_format,      ///< the input is not what it claims to be
  truncated,       ///< the input ends before it should
  too_large,       ///< a length or count in the input is beyond what is sane
  not_found,       ///< looked for and not there
  unreadable,      ///< guest memory could not be read
  io,              ///< the operating system said no
  interrupted,     ///< a signal asked to stop
};

/// One clear line for a person, and a code for the program.
struct Error {
  Errc code;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

/// Shorthand for `return fail(Errc::bad_format, "...")`.
[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// The same error with what was being done put in front: "while reading X: cause".
[[nodiscard]] inline tl::unexpected<Error> fail(const std::string& doing, const Error& cause) {
  return tl::unexpected<Error>(Error{cause.code, doing + ": " + cause.message});
}

}  // namespace xstack
