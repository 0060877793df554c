// SPDX-License-Identifier: BSD-3-Clause
// Stage 7: what decide chose, done to the bytes.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/worker_stats.h"

#include <cstdint>

namespace weir::dataplane {

/// Writes `dscp` (0…63) into the IPv4 or IPv6 header at `l3`, ECN untouched; IPv4's header checksum is updated
/// incrementally (RFC 1624, eqn. 3), so that a wrong checksum stays wrong by the same amount. True if a byte changed;
/// false, and nothing written, for any other version or a greater `dscp`. Touches the first 2 bytes, in IPv4 also bytes
/// 10 and 11. Transport checksums do not cover the field, nor does AH's (RFC 4302, 3.3.3.1).
bool rewrite_dscp(std::uint8_t* l3, std::uint8_t ip_version, std::uint8_t dscp) noexcept;

/// Is the buffer this mbuf's alone? A clone, or a buffer of several owners, must not change under the others.
[[nodiscard]] bool owned(rte_mbuf& mbuf) noexcept;

/// Rewrites the packets of [begin, end) that are not dropped and whose dscp is not kKeepDscp, in their first IP
/// header: in a tunnel the outer one, which the routers behind Weir see (RFC 2983). The inner one stays: it may be
/// covered by the outer UDP checksum (VXLAN, GENEVE, GTP-U), and it is its own network's to mark. A header that is not
/// wholly in the first segment, or an mbuf whose bytes others share (refcnt > 1, indirect, a shared external buffer),
/// is left as it is. Offload flags stay as they are. Counts `stats.marked`: packets of which a byte changed. The
/// worker's thread.
void act(Batch& batch, std::uint32_t begin, std::uint32_t end, WorkerStats& stats) noexcept;

}  // namespace weir::dataplane
