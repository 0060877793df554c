// SPDX-License-Identifier: BSD-3-Clause
// One packet of one flow as a worker had it, on its way to an explanation.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/events.h"
#include "dataplane/features/features.h"

#include <cstdint>

namespace weir::dataplane {

/// Trivially copyable. What became of the packet is as enforce left it, before act.
struct FlowSample {
    FlowRecord flow;  ///< after the packet
    PacketHeader header;
    FeatureRow row;  ///< at the packet, of the groups that the snapshot's models read
    std::uint64_t time_ns = 0;
    std::uint64_t generation = 0;  ///< of the snapshot
    std::uint32_t worker = 0;      ///< set by the reader
    std::uint8_t rx_port = 0;
    bool from_initiator = false;
    Disposition disposition = Disposition::forward;
    DropReason reason = DropReason::policy;  ///< if dropped
    std::uint8_t dscp = kKeepDscp;           ///< written into it
};

}  // namespace weir::dataplane
