// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/act.h"

#include "dataplane/byte_order.h"

#include <rte_mbuf.h>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kIpv4Bytes = 20;
constexpr std::uint32_t kIpv6Bytes = 40;

// RFC 1624, eqn. 3: HC' = ~(~HC + ~m + m'). Never 0xffff, which no IPv4 header sums to: it is never all zeroes.
[[nodiscard]] std::uint32_t updated_checksum(
    std::uint32_t checksum, std::uint32_t before, std::uint32_t after) noexcept {
    constexpr std::uint32_t kMask = 0xffff;
    std::uint32_t sum = (~checksum & kMask) + (~before & kMask) + after;
    sum = (sum & kMask) + (sum >> 16U);
    sum = (sum & kMask) + (sum >> 16U);
    return ~sum & kMask;
}

// The IP header to mark, nullptr if it does not lie wholly in the first segment.
[[nodiscard]] std::uint8_t* whole_header(rte_mbuf& mbuf, std::uint32_t offset) noexcept {
    if (mbuf.data_len < offset + kIpv4Bytes) {
        return nullptr;
    }
    auto* const l3 = rte_pktmbuf_mtod_offset(&mbuf, std::uint8_t*, offset);
    const std::uint32_t bytes = l3[0] >> 4U == 4 ? (l3[0] & 0x0fU) * 4U : kIpv6Bytes;
    return mbuf.data_len < offset + bytes ? nullptr : l3;
}

}  // namespace

bool owned(rte_mbuf& mbuf) noexcept {
    if (rte_mbuf_refcnt_read(&mbuf) != 1 || RTE_MBUF_CLONED(&mbuf)) {
        return false;
    }
    return !RTE_MBUF_HAS_EXTBUF(&mbuf) ||
           (mbuf.shinfo != nullptr && rte_mbuf_ext_refcnt_read(mbuf.shinfo) == 1);
}

bool rewrite_dscp(std::uint8_t* l3, std::uint8_t ip_version, std::uint8_t dscp) noexcept {
    constexpr std::uint32_t kIpv4Mask = 0x00fc;  // of the header's first 16 bits
    constexpr std::uint32_t kIpv6Mask = 0x0fc0;
    constexpr std::uint32_t kMostDscp = 63;
    constexpr std::uint32_t kChecksumAt = 10;
    if (dscp > kMostDscp || (ip_version != 4 && ip_version != 6)) {
        return false;
    }
    const std::uint32_t mask = ip_version == 4 ? kIpv4Mask : kIpv6Mask;
    const std::uint32_t shift = ip_version == 4 ? 2 : 6;
    const std::uint32_t before = get16(l3);
    const auto after = static_cast<std::uint16_t>((before & ~mask) | std::uint32_t{dscp} << shift);
    if (after == before) {
        return false;
    }
    put16(l3, after);
    if (ip_version == 4) {
        put16(l3 + kChecksumAt, updated_checksum(get16(l3 + kChecksumAt), before, after));
    }
    return true;
}

void act(Batch& batch, std::uint32_t begin, std::uint32_t end, WorkerStats& stats) noexcept {
    std::uint64_t marked = 0;
    for (std::uint32_t i = begin; i < end; ++i) {
        if (batch.disposition[i] == Disposition::drop || batch.dscp[i] == kKeepDscp ||
            batch.parsed[i] != ParseResult::flow) {
            continue;
        }
        rte_mbuf& mbuf = *batch.mbuf[i];
        std::uint8_t* const l3 =
            owned(mbuf) ? whole_header(mbuf, batch.header[i].outer_l3_offset) : nullptr;
        if (l3 != nullptr && rewrite_dscp(l3, l3[0] >> 4U, batch.dscp[i])) {
            ++marked;
        }
    }
    if (marked != 0) {
        stats.marked.add(marked);
    }
}

}  // namespace weir::dataplane
