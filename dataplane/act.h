// SPDX-License-Identifier: BSD-3-Clause
// Stage 7: what decide chose, done to the bytes.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/worker_stats.h"

#include <cstdint>

namespace weir::dataplane {

/// Writes `dscp` (0…63) into the IPv4 or IPv6 header at `l3`, ECN untouched; IPv4's header checksum is updated
/// incrementally (RFC 1624, eqn. 3), so that a wrong checksum stays wrong by the same amount. True if a byte changed.
bool rewrite_dscp(std::uint8_t* l3, std::uint8_t ip_version, std::uint8_t dscp) noexcept;

/// Rewrites the packets of [begin, end) whose disposition is forward and whose dscp is not kKeepDscp. A header that
/// is not wholly in the first segment, or an mbuf that others share (refcnt > 1, indirect), is left as it is.
void act(Batch& batch, std::uint32_t begin, std::uint32_t end, WorkerStats& stats) noexcept;

}  // namespace weir::dataplane
