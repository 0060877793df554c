// SPDX-License-Identifier: BSD-3-Clause
// What is already extracted: one finished part a capture, in a folder beside the output, for the run after an interruption.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::app {

/// What one capture gave.
struct PartCounts {
    std::uint64_t rows = 0;
    std::uint64_t labelled = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< of the part's file
};

/// Writes one part; what is not committed is removed. Thread: one at a time.
class PartWriter {
  public:
    explicit PartWriter(std::string path);
    ~PartWriter();
    PartWriter(const PartWriter&) = delete;
    PartWriter& operator=(const PartWriter&) = delete;

    /// Failures show at commit().
    void write(std::string_view bytes) noexcept;
    /// Gives the part its name and notes `counts` (their bytes are filled in). Errors name the file.
    [[nodiscard]] Result<PartCounts> commit(PartCounts counts);

  private:
    std::string path_;
    std::string temporary_;
    std::unique_ptr<char[]> buffer_;
    FILE* file_ = nullptr;
    std::uint64_t bytes_ = 0;
    int why_ = 0;  ///< errno of the first failure
};

/// The folder of parts. One process at a time holds it.
class PartsFolder {
  public:
    /// Makes or takes over `path`, and removes what an interrupted run left unfinished in it. An empty path is a folder
    /// of this run's own, gone with it. Errors name the folder: cannot be made, or another process works in it.
    [[nodiscard]] static Result<std::unique_ptr<PartsFolder>> open(std::string path);
    ~PartsFolder();
    PartsFolder(const PartsFolder&) = delete;
    PartsFolder& operator=(const PartsFolder&) = delete;

    /// The part's file for a key of hexadecimal digits.
    [[nodiscard]] std::string file(const std::string& key) const { return path_ + "/" + key; }
    /// The counts of a finished part; nullopt if there is none.
    [[nodiscard]] std::optional<PartCounts> finished(const std::string& key) const;
    /// Removes the folder with all its parts.
    void remove() noexcept;

  private:
    PartsFolder() = default;
    std::string path_;
    bool own_ = false;
    int lock_ = -1;
};

/// A key for what makes two runs give the same part: 32 hexadecimal digits of BLAKE2b over `text`.
[[nodiscard]] std::string part_key(std::string_view text);

/// "path, size, time of change" of a file, for part_key(); empty path: "".
[[nodiscard]] std::string file_identity(const std::string& path);

}  // namespace weir::app
