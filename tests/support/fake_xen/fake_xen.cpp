// SPDX-License-Identifier: LGPL-2.1-or-later
// libxenctrl, libxenforeignmemory and libxenstore in one, for tests: loaded by the same dlopen() as the real ones.
#include "tests/support/fake_xen/fake_xen.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "guest/xen/abi.h"

using xstack::test::FakeDomain;
using xstack::test::FakeXen;

namespace {

FakeXen* xen = nullptr;

bool vanished() {
  return xen->map_calls >= xen->vanish_after_maps;
}

const FakeDomain* find(std::uint32_t domid) {
  for (std::uint32_t i = 0; i < xen->domain_count && !vanished(); ++i) {
    if (xen->domains[i].domid == domid) {
      return &xen->domains[i];
    }
  }
  errno = ESRCH;
  return nullptr;
}

template <class T>
void put(std::vector<unsigned char>& out, std::size_t at, T value) {
  if (at + sizeof value <= out.size()) {
    std::memcpy(&out[at], &value, sizeof value);
  }
}

}  // namespace

extern "C" {

void fake_xen_use(FakeXen* state) {
  xen = state;
}

void* xc_interface_open(void*, void*, unsigned) {
  return xen;
}
int xc_interface_close(void*) {
  return 0;
}
int xc_version(void*, int command, void* out) {
  switch (command) {
    case 0:
      return xen->version;
    case 1:
      std::memcpy(out, ".5", 3);
      return 0;
    case 3:
      std::memcpy(out, xen->capabilities, sizeof xen->capabilities);
      return 0;
    default:
      errno = ENOSYS;
      return -1;
  }
}

int xc_domain_getinfolist(void*, std::uint32_t first, unsigned max, void* out) {
  if (xen->list_error != 0) {
    errno = xen->list_error;
    return -1;
  }
  unsigned count = 0;
  for (std::uint32_t i = 0; i < xen->domain_count && count < max && !vanished(); ++i) {
    const FakeDomain& domain = xen->domains[i];
    if (domain.domid < first) {
      continue;
    }
    // Fields as public/domctl.h has them; what lies behind them is filled too, as far as this release's size goes.
    std::vector<unsigned char> info(xen->info_size, 0xee);
    put(info, 0, static_cast<std::uint16_t>(domain.domid));
    put(info, 4, domain.flags | (xen->pauses > 0 ? 8U : 0U));
    put(info, 8, domain.pages);
    put(info, 16, domain.pages);
    put(info, 48, domain.shared_info_frame);
    put(info, 68, domain.vcpus - 1);
    std::memcpy(&info[76], domain.handle, sizeof domain.handle);
    std::memcpy(static_cast<unsigned char*>(out) + count * info.size(), info.data(), info.size());
    ++count;
  }
  return static_cast<int>(count);
}

int xc_domain_pause(void*, std::uint32_t domid) {
  ++xen->pause_calls;
  if (find(domid) == nullptr) {
    return -1;
  }
  if (xen->pause_error != 0) {
    errno = xen->pause_error;
    return -1;
  }
  ++xen->pauses;
  return 0;
}
int xc_domain_unpause(void*, std::uint32_t domid) {
  ++xen->unpause_calls;
  if (find(domid) == nullptr) {
    return -1;
  }
  if (xen->failing_unpauses > 0) {
    --xen->failing_unpauses;
    errno = EINTR;
    return -1;
  }
  if (xen->pauses == 0) {
    errno = EINVAL;
    return -1;
  }
  --xen->pauses;
  return 0;
}

int xc_vcpu_getcontext(void*, std::uint32_t domid, std::uint32_t vcpu, void* out) {
  const FakeDomain* domain = find(domid);
  if (domain == nullptr) {
    return -1;
  }
  if (vcpu >= domain->vcpus || vcpu == xen->never_up || vcpu == xen->refused) {
    errno = vcpu == xen->never_up ? ENODATA : vcpu == xen->refused ? EPERM : EINVAL;
    return -1;
  }
  std::vector<unsigned char> context(xen->context_size, static_cast<unsigned char>(vcpu + 1));
  const bool online = vcpu != xen->offline;
  if (xen->context_size > 512) {
    put(context, 512, online ? 0x20U : 0U);
  } else {
    put(context, 0, online ? 1U : 0U);
  }
  std::memcpy(out, context.data(), context.size());
  return 0;
}

int xc_domain_hvm_getcontext_partial(void*, std::uint32_t domid, std::uint16_t type, std::uint16_t instance, void* out,
                                     std::uint32_t size) {
  if (find(domid) == nullptr || type != 2 || instance == xen->offline) {
    errno = ENODATA;
    return -1;
  }
  std::memset(out, 0x77, size);
  return 0;
}
int xc_domain_get_guest_width(void*, std::uint32_t domid, unsigned* width) {
  *width = xen->guest_width;
  return find(domid) == nullptr ? -1 : 0;
}
int xc_domain_maximum_gpfn(void*, std::uint32_t domid, xstack::xen::Pfn* out) {
  *out = static_cast<xstack::xen::Pfn>(xen->first_frame + xen->frames - 1);
  return find(domid) == nullptr ? -1 : 0;
}

int xc_readconsolering(void*, char* buffer, unsigned* count, int clear, int incremental, std::uint32_t* index) {
  xen->console_cleared = xen->console_cleared || clear != 0;
  if (xen->console_error != 0) {
    errno = xen->console_error;
    return -1;
  }
  const std::size_t length = ::strnlen(xen->console, sizeof xen->console);
  const std::size_t from = incremental != 0 ? std::min<std::size_t>(*index, length) : 0;
  const std::size_t n = std::min<std::size_t>(*count, length - from);
  std::memcpy(buffer, xen->console + from, n);
  *count = static_cast<unsigned>(n);
  *index = static_cast<std::uint32_t>(from + n);
  return 0;
}

void* xenforeignmemory_open(void*, unsigned) {
  return xen;
}
int xenforeignmemory_close(void*) {
  return 0;
}
void* xenforeignmemory_map(void*, std::uint32_t domid, int prot, std::size_t count, const xstack::xen::Pfn* frames,
                           int* errors) {
  if (prot != PROT_READ) {
    xen->written = true;
  }
  ++xen->map_calls;
  xen->largest_batch = std::max<std::uint32_t>(xen->largest_batch, static_cast<std::uint32_t>(count));
  if (find(domid) == nullptr) {
    return nullptr;
  }
  void* address = ::mmap(nullptr, count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    return nullptr;
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto* page = static_cast<unsigned char*>(address) + i * 4096;
    const bool there =
        frames[i] >= xen->first_frame && frames[i] - xen->first_frame < xen->frames && frames[i] != xen->hole;
    errors[i] = there ? 0 : -EINVAL;
    if (there) {
      for (std::size_t word = 0; word < 512; ++word) {
        const std::uint64_t value = frames[i] * 4096 + word * 8;
        std::memcpy(page + word * 8, &value, sizeof value);
      }
    }
    // As with real mappings: a page that is not there must not be touched, and nothing can be written.
    ::mprotect(page, 4096, there ? PROT_READ : PROT_NONE);
  }
  xen->mapped_now += static_cast<std::uint32_t>(count);
  xen->mapped_most = std::max<std::uint32_t>(xen->mapped_most, xen->mapped_now);
  return address;
}
int xenforeignmemory_unmap(void*, void* address, std::size_t count) {
  xen->mapped_now -= static_cast<std::uint32_t>(count);
  return ::munmap(address, count * 4096);
}

void* xs_open(unsigned long) {
  return xen->no_store ? nullptr : xen;
}
void xs_close(void*) {}
void* xs_read(void*, std::uint32_t, const char* path, unsigned* size) {
  unsigned domid = 0;
  if (std::sscanf(path, "/local/domain/%u/name", &domid) != 1) {
    return nullptr;
  }
  const FakeDomain* domain = find(domid);
  if (domain == nullptr || domain->name[0] == '\0') {
    return nullptr;
  }
  *size = static_cast<unsigned>(std::strlen(domain->name));
  return ::strdup(domain->name);
}
}
