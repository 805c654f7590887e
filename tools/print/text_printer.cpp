// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <string>

#include "base/text.h"
#include "tools/print/text.h"

namespace xstack {
namespace text {

std::string hex(std::uint64_t value, unsigned bits) {
  return fmt::format("{:0{}x}", value, bits / 4);
}

std::string symbol(const std::string& name, std::uint64_t offset, std::optional<std::uint64_t> size,
                   const std::optional<std::string>& module) {
  std::string out = fmt::format("{}+{:#x}", escape(name), offset);
  if (size) {
    out += fmt::format("/{:#x}", *size);
  }
  if (module) {
    out += fmt::format(" [{}]", escape(*module));
  }
  return out;
}

}  // namespace text

namespace {

const char* presence_text(VcpuPresence presence) {
  switch (presence) {
    case VcpuPresence::online:
      return "";
    case VcpuPresence::offline:
      return "offline";
    case VcpuPresence::never_up:
      return "never brought up";
    case VcpuPresence::unavailable:
      return "registers not available";
  }
  return "";
}

std::string vcpu_title(const VcpuReport& vcpu) {
  std::string out = fmt::format("vCPU {}", vcpu.id);
  const char* separator = ": ";
  const auto add = [&](const std::string& part) {
    out += separator + part;
    separator = ", ";
  };
  if (vcpu.presence != VcpuPresence::online) {
    add(presence_text(vcpu.presence));
  }
  if (!vcpu.cpu && vcpu.absent_why) {
    add(escape(*vcpu.absent_why));
  }
  if (vcpu.cpu) {
    add("mode " + escape(vcpu.cpu->mode));
    if (!vcpu.cpu->mmu_on) {
      add("MMU off");
    }
  }
  if (vcpu.task_comm && vcpu.task_pid) {
    add(fmt::format("task {} ({})", *vcpu.task_pid, escape(*vcpu.task_comm)));
  } else if (vcpu.task_pid) {
    add(fmt::format("task {}", *vcpu.task_pid));
  } else if (vcpu.task_comm) {
    add(fmt::format("task ({})", escape(*vcpu.task_comm)));
  }
  return out;
}

class TextPrinter final : public Printer {
 public:
  explicit TextPrinter(const View& view) : view_(view), style_(view.color) {}

  [[nodiscard]] std::string print(const Report& report) const override {
    std::string out = view_.info ? text::info(report, view_, style_) : text::header(report.guest, view_, style_);
    for (const auto& vcpu : report.vcpus) {
      out += (view_.info ? "" : "\n") + print_vcpu(vcpu, arch_ops(report.guest.arch).word_size);
    }
    for (std::size_t i = 0; i < report.memory.size(); ++i) {
      out += "\n" + text::memory(report.memory[i], arch_ops(report.guest.arch).word_size, i >= view_.plain_memory,
                                 view_.memory_format, style_);
    }
    if (view_.trace || view_.info) {
      out += text::hypervisor(report.guest, view_, style_);
    }
    if (!report.warnings.empty()) {
      out += "\n";
    }
    for (const auto& warning : report.warnings) {
      out += style_.alarm("warning: ") + escape(warning) + "\n";
    }
    if (view_.verbose) {
      out += disturbance(report.capture);
    }
    return out;
  }

 private:
  [[nodiscard]] std::string print_vcpu(const VcpuReport& vcpu, unsigned word_size) const {
    std::string out = style_.title(vcpu_title(vcpu)) + "\n";
    if (vcpu.doing && !view_.info) {
      out += "  Doing: " + text::doing(*vcpu.doing, true) + "\n";
    }
    if (view_.registers && vcpu.cpu) {
      out += text::registers(*vcpu.cpu, view_, style_);
    }
    if (view_.stack && vcpu.stack) {
      out += text::stack(*vcpu.stack, view_.stack_format, style_);
    }
    if (view_.trace && vcpu.cpu && (vcpu.end || !vcpu.frames.empty())) {
      out += text::trace(vcpu.frames, vcpu.end, word_size, style_);
    }
    if (!view_.registers && !view_.trace) {
      return out;  // the warnings of a vCPU are about its registers and its trace
    }
    if (vcpu.cpu && (view_.verbose || view_.all_registers)) {
      for (const auto& note : vcpu.cpu->notes) {
        out += "  note: " + escape(note) + "\n";
      }
    }
    for (const auto& warning : vcpu.warnings) {
      out += style_.alarm("  warning: ") + escape(warning) + "\n";
    }
    return out;
  }

  [[nodiscard]] static std::string disturbance(const CaptureReport& capture) {
    std::string out;
    if (capture.pause_us) {
      out += fmt::format("\nThe guest was paused for {} us.\n", *capture.pause_us);
    } else {
      out += "\nThe guest was not paused.\n";
    }
    if (capture.pages) {
      out += fmt::format("{} pages of its memory were mapped.\n", *capture.pages);
    }
    out += fmt::format("{} pages were read to walk its stacks.\n", capture.walk_pages);
    return out;
  }

  View view_;
  Style style_;
};

}  // namespace

std::unique_ptr<Printer> make_text_printer(const View& view) {
  return std::make_unique<TextPrinter>(view);
}

}  // namespace xstack
