// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/domain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <span>

#include "base/endian.h"
#include "base/text.h"

namespace xstack::xen {
namespace {

constexpr std::byte kPoison{0xa5};
// DOMID_FIRST_RESERVED in public/xen.h
constexpr std::uint32_t kFirstReserved = 0x7ff0;

DomainInfo decode(std::span<const std::byte> info) {
  namespace at = domain_info;
  DomainInfo out;
  out.domid = load_le<std::uint16_t>(&info[at::kDomain]);
  const auto flags = load_le<std::uint32_t>(&info[at::kFlags]);
  out.hvm = (flags & at::kHvm) != 0;
  out.tot_pages = load_le<std::uint64_t>(&info[at::kTotPages]);
  out.max_pages = load_le<std::uint64_t>(&info[at::kMaxPages]);
  out.shared_info_frame = load_le<std::uint64_t>(&info[at::kSharedInfoFrame]);
  if (const auto last = load_le<std::uint32_t>(&info[at::kMaxVcpuId]); last != ~std::uint32_t{0}) {
    out.max_vcpu_id = last;
  }
  for (std::size_t i = 0; i < 16; ++i) {
    out.uuid += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                            std::to_integer<unsigned>(info[at::kHandle + i]));
  }
  // A domain can be several of these at once: the first that holds is what matters. One that is none of them waits for
  // a pCPU: it runs.
  out.state.paused_by_toolstack = (flags & at::kPaused) != 0;
  const unsigned code = (flags >> at::kShutdownShift) & at::kShutdownMask;
  constexpr unsigned kShutdownCrash = 3;  // public/sched.h
  if ((flags & at::kShutdown) != 0) {
    out.state.shutdown_code = code;
  }
  if ((flags & at::kDying) != 0) {
    out.state.run = RunState::dying;
  } else if ((flags & at::kShutdown) != 0) {
    out.state.run = code == kShutdownCrash ? RunState::crashed : RunState::shutdown;
  } else if ((flags & at::kPaused) != 0) {
    out.state.run = RunState::paused;
  } else if ((flags & at::kBlocked) != 0) {
    out.state.run = RunState::blocked;
  }
  return out;
}

bool is_uuid(const std::string& text) {
  if (text.size() != 36) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) {
      return false;
    }
  }
  return true;
}

/// xenstore, open for as long as names are asked for.
class Store {
 public:
  explicit Store(const Host& host) : call_(host.call()) {
    if (call_.store_open != nullptr) {
      handle_ = call_.store_open(kStoreReadOnly);
    }
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() {
    if (handle_ != nullptr) {
      call_.store_close(handle_);
    }
  }
  [[nodiscard]] bool open() const { return handle_ != nullptr; }
  [[nodiscard]] std::optional<std::string> name(std::uint32_t domid) const {
    if (handle_ == nullptr) {
      return std::nullopt;
    }
    unsigned size = 0;
    void* value = call_.store_read(handle_, kNoTransaction, fmt::format("/local/domain/{}/name", domid).c_str(), &size);
    if (value == nullptr) {
      return std::nullopt;
    }
    std::string text(static_cast<const char*>(value), size);
    std::free(value);
    return text;
  }

 private:
  const Functions& call_;
  StoreHandle* handle_ = nullptr;
};

/// The first domain for which `is_it` holds.
template <class Predicate>
Result<std::optional<DomainInfo>> search(const Host& host, const Predicate& is_it) {
  std::uint32_t next = 0;
  while (next < kFirstReserved) {
    auto info = next_domain(host, next);
    if (!info || !*info) {
      return info;
    }
    if (is_it(**info)) {
      return info;
    }
    next = (*info)->domid + 1;
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<DomainInfo>> next_domain(const Host& host, std::uint32_t first) {
  alignas(16) std::array<std::byte, domain_info::kBuffer> buffer;
  buffer.fill(kPoison);
  const int count = host.call().domain_getinfolist(host.interface(), first, 1, buffer.data());
  if (count < 0) {
    if (errno == EACCES) {
      return fail(Errc::no_access,
                  fmt::format("{} does not fit the Xen that is running: the libraries of its release are "
                              "needed",
                              host.ctrl_name()));
    }
    if (errno == EPERM) {
      return fail(Errc::no_access, "Xen does not let this domain look at others: run xstack in dom0, as root");
    }
    return fail(Errc::io, fmt::format("Xen does not list its domains: {}", std::strerror(errno)));
  }
  if (count == 0) {
    return std::nullopt;
  }
  DomainInfo info = decode(buffer);
  // Xen answers with `first` or a later domain; anything else is another layout than the known ones.
  if (info.domid < first || info.domid >= kFirstReserved) {
    return fail(Errc::no_access, fmt::format("{} lists domains in a form that xstack does not know", host.ctrl_name()));
  }
  return info;
}

Result<std::optional<DomainInfo>> find_domain(const Host& host, std::uint32_t domid) {
  auto info = next_domain(host, domid);
  if (info && *info && (*info)->domid != domid) {
    return std::nullopt;
  }
  return info;
}

std::optional<std::string> domain_name(const Host& host, std::uint32_t domid) {
  return Store(host).name(domid);
}

Result<DomainInfo> resolve_domain(const Host& host, const std::string& what) {
  Result<std::optional<DomainInfo>> found = std::nullopt;
  if (!what.empty() && std::all_of(what.begin(), what.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    std::uint32_t domid = 0;
    const auto [end, error] = std::from_chars(what.data(), what.data() + what.size(), domid);
    if (error != std::errc() || domid >= kFirstReserved) {
      return fail(Errc::no_such_domain, fmt::format("there is no domain {}", what));
    }
    found = find_domain(host, domid);
    if (found && !*found) {
      return fail(Errc::no_such_domain, fmt::format("there is no domain {}", domid));
    }
  } else {
    if (is_uuid(what)) {
      std::string wanted = what;
      std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                     [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
      found = search(host, [&](const DomainInfo& info) { return info.uuid == wanted; });
    }
    if (found && !*found) {
      const Store store(host);
      found = search(host, [&](const DomainInfo& info) { return store.name(info.domid) == what; });
      if (found && !*found && !store.open()) {
        return fail(Errc::no_such_domain, fmt::format("no domain is called {}, as far as can be told without xenstore, "
                                                      "which cannot be reached: a domid works",
                                                      escape(what)));
      }
    }
  }
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (!*found) {
    return fail(Errc::no_such_domain, fmt::format("no domain is called {}", escape(what)));
  }
  return **found;
}

}  // namespace xstack::xen
