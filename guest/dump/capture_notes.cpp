// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/capture_notes.h"

#include <elf.h>

#include <algorithm>

#include "guest/dump/byte_buffer.h"
#include "guest/dump/capture_format.h"
#include "guest/dump/capture_identity.h"

namespace xstack {
namespace {

using dump::append;
using dump::Buffer;
using dump::pad;

std::uint32_t presence_number(VcpuPresence presence) {
  switch (presence) {
    case VcpuPresence::online:
      return capture::kOnline;
    case VcpuPresence::offline:
      return capture::kOffline;
    case VcpuPresence::never_up:
      return capture::kNeverUp;
    case VcpuPresence::unavailable:
      break;
  }
  return capture::kUnavailable;
}

std::uint32_t form_number(ContextForm form) {
  switch (form) {
    case ContextForm::prstatus:
      return capture::kPrstatus;
    case ContextForm::hvm_record:
      return capture::kHvmRecord;
    case ContextForm::xen:
      break;
  }
  return capture::kXen;
}

Buffer vcpu_note(const VcpuContext& vcpu) {
  capture::VcpuHeader header{};
  header.id = vcpu.id;
  header.presence = presence_number(vcpu.presence);
  header.context_size = static_cast<std::uint32_t>(vcpu.context.size());
  header.hvm_size = static_cast<std::uint32_t>(vcpu.hvm_record.size());
  header.form = form_number(vcpu.form);
  header.why_size = static_cast<std::uint32_t>(vcpu.why.size());
  Buffer out;
  append(out, &header, sizeof header);
  append(out, vcpu.context.data(), vcpu.context.size());
  append(out, vcpu.hvm_record.data(), vcpu.hvm_record.size());
  append(out, vcpu.why.data(), vcpu.why.size());
  return out;
}

}  // namespace

std::vector<std::byte> frame_numbers_note(std::span<const FrameNumbers> numbers) {
  Buffer out;
  out.reserve(numbers.size() * sizeof(FrameNumbers));
  for (const FrameNumbers& n : numbers) {
    append(out, &n.pseudo, sizeof n.pseudo);
    append(out, &n.machine, sizeof n.machine);
    append(out, &n.count, sizeof n.count);
  }
  return out;
}

void append_note(Buffer& out, std::string_view vendor, std::uint32_t type, std::span<const std::byte> data) {
  Elf64_Nhdr header{};  // the same in 32-bit files
  header.n_namesz = static_cast<Elf64_Word>(vendor.size() + 1);
  header.n_descsz = static_cast<Elf64_Word>(data.size());
  header.n_type = type;
  append(out, &header, sizeof header);
  append(out, vendor.data(), vendor.size());
  out.push_back(std::byte{0});
  pad(out, 4);
  append(out, data.data(), data.size());
  pad(out, 4);
}

Buffer capture_notes(const GuestIdentity& identity, std::span<const VcpuContext> vcpus,
                     const std::map<std::string, std::string>& facts, bool whole, bool shared) {
  const std::uint32_t base = shared ? capture::kNoteShared : 0;
  Buffer notes;
  Buffer one;
  append(one, &capture::kMajor, sizeof capture::kMajor);
  // What is new in 1.1 is only in files that are shared, and what is new in 1.2 only in guests that are not Xen's.
  const bool foreign =
      std::any_of(vcpus.begin(), vcpus.end(), [](const VcpuContext& vcpu) { return vcpu.form != ContextForm::xen; });
  const std::uint32_t minor = foreign ? 2 : shared ? 1 : 0;
  append(one, &minor, sizeof minor);
  append_note(notes, capture::kVendor, base | capture::kNoteFormat, one);
  const std::string text = identity_to_json(identity);
  one.clear();
  append(one, text.data(), text.size());
  append_note(notes, capture::kVendor, base | capture::kNoteIdentity, one);
  for (const auto& vcpu : vcpus) {
    append_note(notes, capture::kVendor, base | capture::kNoteVcpu, vcpu_note(vcpu));
  }
  for (const auto& [key, value] : facts) {
    const auto size = static_cast<std::uint32_t>(key.size());
    one.clear();
    append(one, &size, sizeof size);
    append(one, key.data(), key.size());
    append(one, value.data(), value.size());
    append_note(notes, capture::kVendor, base | capture::kNoteFact, one);
  }
  if (whole) {
    append_note(notes, capture::kVendor, base | capture::kNoteWhole, {});
  }
  return notes;
}

}  // namespace xstack
