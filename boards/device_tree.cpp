// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/device_tree.h"

#include <fmt/format.h>
#include <libfdt.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/checked.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxChildren = 512;
constexpr int kMaxReservations = 1024;

std::uint32_t load_be32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

/// The number that `count` cells make; nothing when it has more than 64 bits.
std::optional<std::uint64_t> number(const std::vector<std::uint32_t>& cells, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (value >> 32 != 0) {
      return std::nullopt;
    }
    value = value << 32 | cells[at + i];
  }
  return value;
}

std::string_view unit_name(std::string_view node) {
  return node.substr(0, node.find('@'));
}

}  // namespace

Result<DeviceTree> DeviceTree::parse(std::vector<std::byte> blob) {
  if (blob.size() < sizeof(fdt_header)) {
    return fail(Errc::bad_format, "is no device tree: too short");
  }
  const std::uint32_t magic = load_be32(reinterpret_cast<const char*>(blob.data()));
  if (magic != FDT_MAGIC) {
    return fail(Errc::bad_format, fmt::format("is no device tree: it begins with {:08x}, not with {:08x}", magic,
                                              static_cast<unsigned>(FDT_MAGIC)));
  }
  const std::size_t total = load_be32(reinterpret_cast<const char*>(blob.data()) + offsetof(fdt_header, totalsize));
  if (total > kMaxSize || blob.size() > 2 * kMaxSize) {
    return fail(Errc::too_large, fmt::format("the device tree has {} bytes; Xen takes {} at most", total, kMaxSize));
  }
  if (const int wrong = fdt_check_full(blob.data(), blob.size()); wrong != 0) {
    return fail(Errc::bad_format, fmt::format("the device tree is broken: {}", fdt_strerror(wrong)));
  }
  blob.resize(total);
  return DeviceTree(std::move(blob));
}

/// The node of exactly that name: libfdt's own look-up takes /memory@40000000 for /memory.
int DeviceTree::node(const std::string& path) const {
  int at = path.starts_with('/') ? 0 : -1;
  for (std::size_t from = 1; at >= 0 && from < path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    const std::string_view wanted = std::string_view(path).substr(from, end - from);
    for (at = fdt_first_subnode(blob_.data(), at); at >= 0; at = fdt_next_subnode(blob_.data(), at)) {
      const char* name = fdt_get_name(blob_.data(), at, nullptr);
      if (name != nullptr && name == wanted) {
        break;
      }
    }
    from = end + 1;
  }
  return at;
}

const char* DeviceTree::property_of(const std::string& path, const char* property, std::size_t& length) const {
  const int at = node(path);
  int found = 0;
  const void* value = at < 0 ? nullptr : fdt_getprop(blob_.data(), at, property, &found);
  length = value == nullptr || found < 0 ? 0 : static_cast<std::size_t>(found);
  return static_cast<const char*>(value);
}

bool DeviceTree::has(const std::string& path) const {
  return node(path) >= 0;
}

std::vector<std::string> DeviceTree::children(const std::string& path) const {
  std::vector<std::string> out;
  const int parent = node(path);
  int child = parent < 0 ? -1 : fdt_first_subnode(blob_.data(), parent);
  for (; child >= 0 && out.size() < kMaxChildren; child = fdt_next_subnode(blob_.data(), child)) {
    if (const char* name = fdt_get_name(blob_.data(), child, nullptr)) {
      out.emplace_back(name);
    }
  }
  return out;
}

std::vector<std::string> DeviceTree::texts(const std::string& path, const char* property) const {
  std::size_t length = 0;
  const char* value = property_of(path, property, length);
  std::vector<std::string> out;
  for (std::size_t at = 0; at < length;) {
    const std::size_t n = ::strnlen(value + at, length - at);
    if (n == length - at) {
      return {};  // the last one has no end: it is no list of strings
    }
    out.emplace_back(value + at, n);
    at += n + 1;
  }
  return out;
}

std::optional<std::string> DeviceTree::text(const std::string& path, const char* property) const {
  auto all = texts(path, property);
  return all.size() == 1 ? std::optional(std::move(all.front())) : std::nullopt;
}

std::vector<std::uint32_t> DeviceTree::cells(const std::string& path, const char* property) const {
  std::size_t length = 0;
  const char* value = property_of(path, property, length);
  std::vector<std::uint32_t> out;
  for (std::size_t at = 0; length % 4 == 0 && at < length; at += 4) {
    out.push_back(load_be32(value + at));
  }
  return out;
}

std::vector<Area> DeviceTree::reg(const std::string& path) const {
  const auto count = [&](const char* property, std::size_t otherwise) -> std::size_t {
    const auto found = cells(parent_of(path), property);
    return found.size() == 1 ? found.front() : otherwise;
  };
  // What holds where a bus says nothing: Devicetree Specification, 2.3.5.
  const std::size_t address_cells = count("#address-cells", 2);
  const std::size_t size_cells = count("#size-cells", 1);
  std::vector<Area> out;
  if (address_cells < 1 || address_cells > 4 || size_cells < 1 || size_cells > 4) {
    return out;
  }
  const auto all = cells(path, "reg");
  for (std::size_t at = 0; at + address_cells + size_cells <= all.size(); at += address_cells + size_cells) {
    const auto begin = number(all, at, address_cells);
    const auto size = number(all, at + address_cells, size_cells);
    const auto end = begin && size ? checked_add(*begin, *size) : std::nullopt;
    if (end && *size != 0) {
      out.push_back({*begin, *end, path});
    }
  }
  return out;
}

std::vector<Area> DeviceTree::memory() const {
  std::vector<Area> out;
  for (const std::string& name : children("/")) {
    const std::string path = "/" + name;
    if (text(path, "device_type") == "memory" || unit_name(name) == "memory") {
      const auto areas = reg(path);
      out.insert(out.end(), areas.begin(), areas.end());
    }
  }
  return out;
}

std::vector<Area> DeviceTree::reserved() const {
  std::vector<Area> out;
  const int count = std::min(fdt_num_mem_rsv(blob_.data()), kMaxReservations);
  for (int i = 0; i < count; ++i) {
    std::uint64_t begin = 0;
    std::uint64_t size = 0;
    if (fdt_get_mem_rsv(blob_.data(), i, &begin, &size) == 0 && size != 0) {
      if (const auto end = checked_add(begin, size)) {
        out.push_back({begin, *end, "the memory reservation block"});
      }
    }
  }
  for (const std::string& name : children("/reserved-memory")) {
    const auto areas = reg("/reserved-memory/" + name);
    out.insert(out.end(), areas.begin(), areas.end());
  }
  return out;
}

}  // namespace xstack
