// SPDX-License-Identifier: BSD-3-Clause
// What a mirrored packet's comment says, and how it gets into the packet's block.
#pragma once

#include "control/export/flow_event.h"
#include "dataplane/mirror_ring.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::control {

/// "verdict=drop reason=policy rule=policies.office.rules[0]; anomaly class=scan score=0.9931 model=m version=3 packet=8;
/// qos class=none". `policies`: names by index, of the snapshot that decided; one that has none goes by its number.
[[nodiscard]] std::string mirror_comment(
    const dataplane::MirrorTag& tag,
    const EventNames& names,
    std::span<const std::string> policies);

/// Gives a copy of MirrorRing's, which is an Enhanced Packet Block (draft-ietf-opsawg-pcapng, 4.3), the time `time_ns`
/// and a comment, cut to what has room. False, and nothing changed, if it is no such block. Thread: the copy's owner.
[[nodiscard]] bool annotate_packet(
    rte_mbuf& copy, std::uint64_t time_ns, std::string_view comment) noexcept;

}  // namespace weir::control
