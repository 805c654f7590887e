// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/interrupts.h"

namespace xstack {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

volatile sig_atomic_t interrupted = 0;

void note(int /*signal*/) {
  interrupted = 1;
}

}  // namespace

Interrupts::Interrupts() {
  interrupted = 0;
  struct sigaction notes {};
  notes.sa_handler = note;
  notes.sa_flags = SA_RESETHAND;  // and not SA_RESTART: who waits has to hear of it
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) {
      sigaction(kSignals[i], &notes, nullptr);
    }
  }
}

Interrupts::~Interrupts() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &before_[i], nullptr);
  }
}

bool Interrupts::came() {
  return interrupted != 0;
}

}  // namespace xstack
