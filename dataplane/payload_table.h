// SPDX-License-Identifier: BSD-3-Clause
// A worker's payload states, beside its flow table; only where `features.payload` is on.
#pragma once

#include "config/error.h"
#include "dataplane/features/payload.h"
#include "dataplane/flow/huge_map.h"

#include <cstddef>
#include <cstdint>
#include <memory>

struct rte_mbuf;

namespace weir::dataplane {

/// The payload of a packet as its header tells where it lies, cut to PayloadView::kMostReadable bytes: in place where
/// these are contiguous, else joined in `copy`. A chain that holds less than the frame's length gives less.
[[nodiscard]] PayloadView payload_view(
    const rte_mbuf& mbuf,
    const PacketHeader& header,
    std::uint8_t (&copy)[PayloadView::kMostReadable]) noexcept;

/// One state a slot of the flow table, by the same index; 64 bytes each. Whose it is, it knows itself.
/// Owner and only toucher: one worker. Nothing is allocated after create().
class PayloadTable {
  public:
    /// `flows`: the flow table's capacity.
    [[nodiscard]] static Result<std::unique_ptr<PayloadTable>> create(
        std::uint32_t flows, TablePages pages = TablePages::when_touched);
    ~PayloadTable() = default;
    PayloadTable(const PayloadTable&) = delete;
    PayloadTable& operator=(const PayloadTable&) = delete;

    /// The states of the packets named, and what follows the first line of their frames.
    void prefetch(
        const Batch& batch, const std::uint32_t* packets, std::uint32_t count) const noexcept;
    /// Accounts one packet, after update_flow().
    void update(
        std::uint32_t index,
        const Flow& flow,
        const PacketHeader& header,
        bool forward,
        const rte_mbuf& mbuf) noexcept;
    /// The flow's state; zeros if it has none.
    [[nodiscard]] const PayloadState& of(std::uint32_t index, const Flow& flow) const noexcept {
        return payload_of(states_[index], flow);
    }

    /// As HugeMap's.
    [[nodiscard]] std::size_t ordinary_bytes() const noexcept { return map_.ordinary_bytes(); }

  private:
    PayloadTable() = default;

    PayloadState* states_ = nullptr;
    HugeMap map_;
};

}  // namespace weir::dataplane
