// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/debuginfod.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace xstack {
namespace {

/// libdebuginfod.so.1 (elfutils 0.178 on), as <elfutils/debuginfod.h> declares it. Never unloaded: libcurl's state may
/// outlive a client.
struct Library {
  void* (*begin)() = nullptr;
  void (*end)(void*) = nullptr;
  int (*find_debuginfo)(void*, const unsigned char*, int, char**) = nullptr;
};

template <class Function>
bool load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Result<Library> load_library() {
  void* library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
  Library loaded;
  if (library == nullptr) {
    return fail(Errc::unsupported, "libdebuginfod.so.1 is not installed here");
  }
  if (!load(library, "debuginfod_begin", loaded.begin) || !load(library, "debuginfod_end", loaded.end) ||
      !load(library, "debuginfod_find_debuginfo", loaded.find_debuginfo)) {
    return fail(Errc::unsupported, "libdebuginfod.so.1 lacks a function that xstack needs");
  }
  return loaded;
}

}  // namespace

Result<std::string> ask_debuginfod(const std::string& build_id) {
  const char* servers = std::getenv("DEBUGINFOD_URLS");
  if (servers == nullptr || *servers == '\0') {
    return fail(Errc::not_found, "DEBUGINFOD_URLS names no server");
  }
  const auto library = load_library();
  if (!library) {
    return tl::unexpected(library.error());
  }
  constexpr int kKeep = 0;
  ::setenv("DEBUGINFOD_TIMEOUT", "20", kKeep);          // seconds without progress
  ::setenv("DEBUGINFOD_MAXTIME", "600", kKeep);         // seconds in all
  ::setenv("DEBUGINFOD_MAXSIZE", "4294967296", kKeep);  // bytes
  const std::unique_ptr<void, void (*)(void*)> client(library->begin(), library->end);
  if (!client) {
    return fail(Errc::io, "libdebuginfod cannot be started");
  }
  char* path = nullptr;
  // A length of 0 says that the build-id is hexadecimal text.
  const int fd =
      library->find_debuginfo(client.get(), reinterpret_cast<const unsigned char*>(build_id.c_str()), 0, &path);
  const std::unique_ptr<char, void (*)(void*)> owned(path, std::free);
  if (fd < 0) {
    return fail(fd == -ENOENT ? Errc::not_found : Errc::io,
                fmt::format("no server has build-id {}: {}", build_id, std::strerror(-fd)));
  }
  ::close(fd);
  return path != nullptr ? Result<std::string>(path)
                         : fail(Errc::io, "libdebuginfod did not say where it put the file");
}

}  // namespace xstack
