// SPDX-License-Identifier: BSD-3-Clause
// What generation leaves on disk: a capture and its labels.
#pragma once

#include "config/error.h"
#include "control/lab/generate_packet.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace weir::lab::synth {

/// A file written beside its name, to be renamed once complete; without that, nothing of it stays. Thread: its owner's.
class NewFile {
  public:
    NewFile() = default;
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    /// Refuses a path where something other than a regular file stands.
    [[nodiscard]] Result<void> open(const std::string& path);
    /// Failures are kept for complete().
    void write(const void* data, std::size_t bytes) noexcept;
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    /// Everything on disk, under the temporary name.
    [[nodiscard]] Result<void> complete();
    [[nodiscard]] Result<void> rename_into_place();

  private:
    [[nodiscard]] tl::unexpected<Error> cannot_write(int why) const;

    std::string path_;
    std::string temporary_;
    FILE* file_ = nullptr;
    int why_ = 0;  ///< errno of the first failure
    bool failed_ = false;
};

/// pcap: version 2.4, microseconds, Ethernet, little endian.
void write_pcap_header(NewFile& file) noexcept;
void write_pcap_packet(NewFile& file, std::uint64_t unix_us, Bytes frame) noexcept;

void write_label_header(NewFile& file) noexcept;
/// `file_name` and `group` as CSV fields.
void write_label(
    NewFile& file,
    std::string_view file_name,
    const Tuple& tuple,
    std::string_view label,
    std::string_view group);

}  // namespace weir::lab::synth
