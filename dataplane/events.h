// SPDX-License-Identifier: BSD-3-Clause
// What a worker tells control about flows: fixed-size records through one single-producer ring a worker.
#pragma once

#include "dataplane/flow/flow.h"
#include "dataplane/snapshot.h"

#include <array>
#include <cstdint>

namespace weir::dataplane {

enum class FlowEnd : std::uint8_t {
    idle,
    closed,
    evicted,
    shutdown,
    live  ///< it has not ended: the record is an Inspector's
};

/// The whole story of a flow, written once, when it leaves the table. Trivially copyable.
struct FlowRecord {
    FlowKey key;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    std::array<std::uint64_t, 2> bytes{};  ///< IP bytes, [0] from the initiator
    std::array<std::uint32_t, 2> packets{};
    std::array<Verdict, kMaxSlots> verdicts{};
    bool initiator_is_hi = false;
    FlowEnd end = FlowEnd::idle;
    std::uint8_t dscp = kKeepDscpRecord;  ///< DSCP last written to the flow's packets
    bool dropped = false;                 ///< the flow's last decision was drop
    std::uint32_t flow = 0;               ///< index in the worker's table (reused by later flows)

    static constexpr std::uint8_t kKeepDscpRecord = 0xff;
};

}  // namespace weir::dataplane
