// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/libraries.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <fstream>
#include <optional>

namespace xstack::xen {

/// struct xentoollog_logger (xentoollog.h). Without a logger of ours the libraries write to standard error.
struct Logger {
  void (*vmessage)(Logger*, int level, int errnoval, const char* context, const char* format, std::va_list);
  void (*progress)(Logger*, const char* context, const char* what, int percent, unsigned long done, unsigned long);
  void (*destroy)(Logger*);
};

namespace {

Logger* quiet_logger() {
  static Logger logger{[](Logger*, int, int, const char*, const char*, std::va_list) {}, nullptr, [](Logger*) {}};
  return &logger;
}

#if defined(__x86_64__)
constexpr const char* kTriplet = "x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr const char* kTriplet = "aarch64-linux-gnu";
#elif defined(__arm__)
constexpr const char* kTriplet = "arm-linux-gnueabihf";
#else
constexpr const char* kTriplet = "i386-linux-gnu";
#endif

// The releases that a soname may name. Beyond 4.20 nothing was tested, but what is used here has not changed.
constexpr unsigned kNewest = 22;
constexpr unsigned kOldest = 14;

std::optional<unsigned> number_in(const char* path) {
  std::ifstream file(path);
  unsigned value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

struct Library {
  void* handle = nullptr;
  std::string name;
};

Result<Library> load_first(const char* what, const std::vector<std::string>& names) {
  std::string why;
  for (const auto& name : names) {
    if (void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      return Library{handle, name};
    }
    if (why.empty()) {
      const char* error = ::dlerror();
      why = error != nullptr ? error : "not found";
    }
  }
  return fail(Errc::no_access, fmt::format("{} cannot be loaded: {}", what, why.empty() ? "nowhere to look" : why));
}

/// Object pointers to function pointers: dlsym() is the one place that has to.
template <class F>
bool look_up(const Library& library, const char* symbol, F& function) {
  void* address = ::dlsym(library.handle, symbol);
  static_assert(sizeof address == sizeof function);
  std::memcpy(&function, &address, sizeof function);
  return address != nullptr;
}

}  // namespace

LibraryNames LibraryNames::of_this_host() {
  LibraryNames names;
  const auto add = [&](unsigned major, unsigned minor) {
    const auto soname = fmt::format("libxenctrl.so.{}.{}", major, minor);
    names.ctrl.push_back(soname);
    names.ctrl.push_back(fmt::format("/usr/lib/xen-{}.{}/lib/{}/{}", major, minor, kTriplet, soname));
    names.ctrl.push_back(fmt::format("/usr/lib/xen-{}.{}/lib/{}", major, minor, soname));
    names.ctrl.push_back("/usr/local/lib/" + soname);
  };
  const auto major = number_in("/sys/hypervisor/version/major");
  const auto minor = number_in("/sys/hypervisor/version/minor");
  if (major && minor) {
    add(*major, *minor);
  }
  for (unsigned other = kNewest; other >= kOldest; --other) {
    if (major != 4U || minor != other) {
      add(4, other);
    }
  }
  names.foreign_memory = {"libxenforeignmemory.so.1", "/usr/local/lib/libxenforeignmemory.so.1"};
  // 4 since Xen 4.15, 3.0 before
  names.store = {"libxenstore.so.4", "libxenstore.so.3.0", "/usr/local/lib/libxenstore.so.4"};
  return names;
}

Result<std::shared_ptr<Host>> Host::open(const LibraryNames& names) {
  std::shared_ptr<Host> host(new Host);
  const auto ctrl = load_first("libxenctrl", names.ctrl);
  if (!ctrl) {
    return tl::unexpected(ctrl.error());
  }
  host->ctrl_name_ = ctrl->name;
  const auto foreign = load_first("libxenforeignmemory", names.foreign_memory);
  if (!foreign) {
    return tl::unexpected(foreign.error());
  }
  Functions& f = host->functions_;
  const bool complete =
      look_up(*ctrl, "xc_interface_open", f.interface_open) &&
      look_up(*ctrl, "xc_interface_close", f.interface_close) && look_up(*ctrl, "xc_version", f.version) &&
      look_up(*ctrl, "xc_domain_getinfolist", f.domain_getinfolist) &&
      look_up(*ctrl, "xc_domain_pause", f.domain_pause) && look_up(*ctrl, "xc_domain_unpause", f.domain_unpause) &&
      look_up(*ctrl, "xc_vcpu_getcontext", f.vcpu_getcontext) &&
      look_up(*ctrl, "xc_domain_maximum_gpfn", f.domain_maximum_gpfn) &&
      look_up(*foreign, "xenforeignmemory_open", f.foreign_open) &&
      look_up(*foreign, "xenforeignmemory_close", f.foreign_close) &&
      look_up(*foreign, "xenforeignmemory_map", f.foreign_map) &&
      look_up(*foreign, "xenforeignmemory_unmap", f.foreign_unmap);
  if (!complete) {
    const char* error = ::dlerror();
    return fail(Errc::no_access,
                fmt::format("Xen's libraries lack what xstack calls: {}", error != nullptr ? error : ctrl->name));
  }
  look_up(*ctrl, "xc_readconsolering", f.read_console_ring);
  // Exported everywhere, implemented by the hypervisor on x86 only.
  look_up(*ctrl, "xc_domain_hvm_getcontext_partial", f.hvm_getcontext_partial);
  look_up(*ctrl, "xc_domain_get_guest_width", f.get_guest_width);
  if (const auto store = load_first("libxenstore", names.store)) {
    if (!look_up(*store, "xs_open", f.store_open) || !look_up(*store, "xs_close", f.store_close) ||
        !look_up(*store, "xs_read", f.store_read)) {
      f.store_open = nullptr;
    }
  }

  host->interface_ = f.interface_open(quiet_logger(), quiet_logger(), 0);
  if (host->interface_ == nullptr) {
    return fail(Errc::no_access, fmt::format("Xen cannot be reached: {}", std::strerror(errno)));
  }
  host->foreign_ = f.foreign_open(quiet_logger(), 0);
  if (host->foreign_ == nullptr) {
    return fail(Errc::no_access, fmt::format("guest memory cannot be mapped: {}", std::strerror(errno)));
  }
  return host;
}

Host::~Host() {
  if (foreign_ != nullptr) {
    functions_.foreign_close(foreign_);
  }
  if (interface_ != nullptr) {
    functions_.interface_close(interface_);
  }
}

}  // namespace xstack::xen
