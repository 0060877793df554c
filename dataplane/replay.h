// SPDX-License-Identifier: BSD-3-Clause
// A capture through the very worker that runs live: time from the capture, one thread, fixed seed, deterministic.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "dataplane/gateway.h"
#include "dataplane/rows.h"
#include "dataplane/snapshot.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::dataplane {

/// Keys the tables and the hosts' sketches of a replay: any constant makes it deterministic.
inline constexpr std::uint64_t kReplaySeed = 0x5745495231;

struct ReplayOptions {
    std::string in;         ///< pcap or pcapng, Ethernet
    std::string out;        ///< pcap of the forwarded packets; empty: none
    config::Config config;  ///< slots, policy, flow table, burst; ports are not used
    std::vector<std::shared_ptr<const SlotModel>> models;  ///< by slot; null: none
    std::uint32_t gather_us = 0;  ///< as WorkerOptions; results do not depend on it
    RowTap* tap = nullptr;
    std::function<void(const FlowRecord&)> on_flow;  ///< each ended flow, in a deterministic order
    std::function<void(std::uint64_t done, std::uint64_t total)> on_progress;
};

struct ReplayResult {
    std::uint64_t capture_packets = 0;  ///< in the file
    Totals totals;
    std::array<std::uint64_t, static_cast<std::size_t>(ParseResult::count_)> parsed{};
    std::uint64_t flows = 0;
    std::uint64_t flows_evicted = 0;
    std::uint64_t flows_refused = 0;
    std::uint64_t records_lost = 0;
    std::uint64_t capture_span_ns = 0;
    std::array<std::uint64_t, kMaxSlots> scored{};
    double seconds = 0;  ///< wall time of the packet loop
};

/// What a capture holds, from one pass over it.
struct CaptureInfo {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
};

/// Opens the capture and reads its file header only: wrong magic and wrong link type are errors that name the file.
[[nodiscard]] Result<void> check_capture(const std::string& path);

/// Reads the capture once, whole: wrong magic, wrong link type and truncation are errors that name the file.
[[nodiscard]] Result<CaptureInfo> scan_capture(const std::string& path);

/// Replays a capture. EAL must be up. Thread: any that EAL knows (rte_thread_register; others are slower), several
/// replays at once if start_replay_eal() was told so; callbacks and tap run on the calling thread. Nothing is left behind on failure: `out` is
/// written beside and renamed when all is done. Packet times have the microsecond resolution of net_pcap.
[[nodiscard]] Result<ReplayResult> replay(const ReplayOptions& options);

/// Starts EAL as replay needs it: no PCI, no hugepages, no pinned lcore, unprivileged; memory for `at_once` replays.
[[nodiscard]] Result<void> start_replay_eal(std::uint32_t at_once = 1);

}  // namespace weir::dataplane
