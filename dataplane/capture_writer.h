// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "config/error.h"

#include <cstdint>
#include <memory>
#include <string>

struct rte_mbuf;

namespace weir::dataplane {

/// Writes what a port sends to a pcap file, with the packets' capture times: a transmit callback on that port.
class CaptureWriter {
  public:
    /// Writes to PATH.tmp until commit(). `timestamp_offset`: of the mbufs' capture time, microseconds.
    [[nodiscard]] static Result<std::unique_ptr<CaptureWriter>> create(
        const std::string& path, std::uint16_t port_id, int timestamp_offset);
    /// Removes the callback, and the temporary file if not committed.
    ~CaptureWriter();
    CaptureWriter(const CaptureWriter&) = delete;
    CaptureWriter& operator=(const CaptureWriter&) = delete;

    /// Flushes, syncs and renames.
    [[nodiscard]] Result<void> commit();

  private:
    CaptureWriter() = default;
    void write(const rte_mbuf& mbuf);
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::dataplane
