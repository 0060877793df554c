// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/payload_table.h"

#include "dataplane/prefetch.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include <rte_mbuf.h>

namespace weir::dataplane {

namespace {

// `wanted` bytes of the frame from `begin` on; how many there are.
[[gnu::noinline, gnu::cold]] std::uint32_t join_segments(
    const rte_mbuf& mbuf, std::uint32_t begin, std::uint32_t wanted, std::uint8_t* out) noexcept {
    std::uint32_t joined = 0;
    for (const rte_mbuf* segment = &mbuf; segment != nullptr && joined < wanted;
         segment = segment->next) {
        if (begin >= segment->data_len) {
            begin -= segment->data_len;
            continue;
        }
        const std::uint32_t part =
            std::min<std::uint32_t>(segment->data_len - begin, wanted - joined);
        std::memcpy(out + joined, rte_pktmbuf_mtod(segment, const std::uint8_t*) + begin, part);
        joined += part;
        begin = 0;
    }
    return joined;
}

}  // namespace

PayloadView payload_view(
    const rte_mbuf& mbuf,
    const PacketHeader& header,
    std::uint8_t (&copy)[PayloadView::kMostReadable]) noexcept {
    const std::uint32_t begin = header.l3_offset + header.ip_bytes - header.payload_bytes;
    const std::uint32_t wanted = std::min(header.payload_bytes, PayloadView::kMostReadable);
    if (begin + wanted <= mbuf.data_len) [[likely]] {
        return {rte_pktmbuf_mtod(&mbuf, const std::uint8_t*) + begin, wanted, header.payload_bytes};
    }
    const std::uint32_t joined = join_segments(mbuf, begin, wanted, copy);
    return {copy, joined, header.payload_bytes};
}

Result<std::unique_ptr<PayloadTable>> PayloadTable::create(std::uint32_t flows, TablePages pages) {
    static_assert(std::is_trivially_copyable_v<PayloadState>);
    std::unique_ptr<PayloadTable> table(new PayloadTable);
    const std::size_t bytes = std::size_t{flows} * sizeof(PayloadState);
    auto map = HugeMap::create(
        bytes,
        pages,
        "features.payload",
        "payload states",
        "lower workers.flow_table.capacity, or set features.payload: false");
    if (!map) {
        return tl::unexpected(map.error());
    }
    table->map_ = std::move(*map);
    table->states_ = reinterpret_cast<PayloadState*>(table->map_.base());
    return table;
}

void PayloadTable::prefetch(
    const Batch& batch, const std::uint32_t* packets, std::uint32_t count) const noexcept {
    constexpr std::uint32_t kLine = 64;
    for (std::uint32_t n = 0; n < count; ++n) {
        const std::uint32_t i = packets[n];
        __builtin_prefetch(states_ + batch.flow[i], 1, kNearHint);
        if (batch.mbuf[i]->data_len > kLine) {
            __builtin_prefetch(
                rte_pktmbuf_mtod(batch.mbuf[i], const std::uint8_t*) + kLine, 0, kNearHint);
        }
    }
}

void PayloadTable::update(
    std::uint32_t index,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const rte_mbuf& mbuf) noexcept {
    if (!wants_payload(flow, header, forward)) {
        return;
    }
    std::uint8_t copy[PayloadView::kMostReadable];
    update_payload(states_[index], flow, header, forward, payload_view(mbuf, header, copy));
}

}  // namespace weir::dataplane
