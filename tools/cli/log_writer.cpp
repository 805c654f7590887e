// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/log_writer.h"

namespace xstack {
namespace {

constexpr std::size_t kBatch = 256 << 10;
constexpr std::size_t kWorthSparing = 4 << 10;   ///< longer text is not copied here
constexpr std::size_t kWorthSending = 16 << 10;  ///< longer text is sent, not copied, if the output can do that

}  // namespace

void LogWriter::add(std::string_view text) {
  batch_ += text;
  if (batch_.size() >= kBatch) {
    flush();
  }
}

void LogWriter::add_lasting(std::string_view text) {
  if (text.size() < kWorthSparing) {
    add(text);
    return;
  }
  close_piece();
  pieces_.push_back({text, 0, 0});
}

void LogWriter::close_piece() {
  if (batch_.size() != in_pieces_) {
    pieces_.push_back({{}, in_pieces_, batch_.size() - in_pieces_});
    in_pieces_ = batch_.size();
  }
}

void LogWriter::flush() {
  close_piece();
  for (const Piece& piece : pieces_) {
    std::string_view text =
        piece.text.data() != nullptr ? piece.text : std::string_view(batch_).substr(piece.begin, piece.length);
    if (place_ && piece.text.size() >= kWorthSending) {
      write_views();
      text.remove_prefix(send(text));
    }
    if (!text.empty()) {
      views_.push_back(text);
    }
  }
  write_views();
  pieces_.clear();
  batch_.clear();
  in_pieces_ = 0;
}

void LogWriter::write_views() {
  if (written_ && !views_.empty()) {
    written_ = out_.write_all(views_);
  }
  views_.clear();
}

/// How much of a text of the log was written straight from its file.
std::size_t LogWriter::send(std::string_view text) {
  const auto back = static_cast<std::uint64_t>(end_ - text.data());
  if (!written_ || back > place_->offset) {
    return 0;
  }
  const auto sent = out_.send(place_->fd, place_->offset - back, text.size());
  return sent.value_or(0);
}

}  // namespace xstack
