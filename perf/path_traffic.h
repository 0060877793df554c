// SPDX-License-Identifier: BSD-3-Clause
// Traffic of many flows without as many mbufs: a trace made in advance, whose headers are written into the mbufs that
// net_null hands out, as a NIC's DMA would.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

struct rte_mbuf;

namespace weir::perf {

struct TraceOptions {
    std::uint32_t flows = 1U << 20;
    std::uint32_t clients = 0;  ///< distinct hosts on either side; 0: as many as flows
    std::uint32_t servers = 0;
    bool zipf = false;   ///< popularity ∝ 1/rank, else uniform
    bool flood = false;  ///< seven of eight packets are the SYN of a flow never seen before
    std::uint64_t seed = 1;
};

/// Ethernet frames of 64 bytes with their FCS (60 in an mbuf): three TCP flows for each UDP flow, either direction at
/// random. Endless: begins again at its end.
class Trace {
  public:
    /// Bytes of a frame in memory; the FCS is the wire's.
    static constexpr std::uint16_t kFrameBytes = 60;

    explicit Trace(const TraceOptions& options);
    ~Trace();
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;
    /// Writes the next frames of the trace; nothing while paused.
    void fill(rte_mbuf** packets, std::uint16_t count) noexcept;
    void pause(bool paused) noexcept { paused_ = paused; }

  private:
    /// Frame bytes 16…47: from the IP length to the TCP flags. The others are the same in all frames.
    using Record = std::array<std::uint8_t, 32>;

    std::span<Record>
        records_;  // on huge pages: a source that misses its TLB would be the yardstick's loss
    void* map_ = nullptr;
    std::size_t map_bytes_ = 0;
    std::size_t at_ = 0;
    bool paused_ = false;
};

/// Writes a capture of `frames` frames in sizes of 64, 594 and 1518 bytes as 7 : 4 : 1 (IMIX), of 1000 flows.
/// False, with the reason on stderr, if the file cannot be written.
[[nodiscard]] bool write_imix(const std::string& path, std::uint32_t frames);

}  // namespace weir::perf
