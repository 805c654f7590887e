// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstring>
#include <new>

#include "guest/xen/libraries.h"
#include "tests/support/fake_xen/fake_xen.h"

namespace xstack::test {

/// The fake libraries with a host of their own, in memory that child processes share.
class FakeHost {
 public:
  FakeHost()
      : state_(new (::mmap(nullptr, sizeof(FakeXen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                   FakeXen) {
    void* library = ::dlopen(FAKE_XEN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void* symbol = library == nullptr ? nullptr : ::dlsym(library, "fake_xen_use");
    void (*use)(FakeXen*) = nullptr;
    std::memcpy(&use, &symbol, sizeof use);
    use(state_);
    add(0, "Domain-0", 0);
    add(5, "domU", 0);
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;
  ~FakeHost() { ::munmap(state_, sizeof(FakeXen)); }

  FakeDomain& add(std::uint32_t domid, const char* name, std::uint32_t flags) {
    FakeDomain& domain = state_->domains[state_->domain_count++];
    domain.domid = domid;
    domain.flags = flags;
    domain.pages = 1024;
    domain.handle[0] = 0xab;
    domain.handle[15] = static_cast<std::uint8_t>(domid);
    std::strncpy(domain.name, name, sizeof domain.name - 1);
    return domain;
  }
  FakeXen* operator->() const { return state_; }
  FakeDomain& domu() const { return state_->domains[1]; }

  [[nodiscard]] static xen::LibraryNames names() {
    return {{"/nowhere/libxenctrl.so", FAKE_XEN_LIBRARY}, {FAKE_XEN_LIBRARY}, {FAKE_XEN_LIBRARY}};
  }

 private:
  FakeXen* state_;
};

}  // namespace xstack::test
