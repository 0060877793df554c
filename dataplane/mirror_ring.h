// SPDX-License-Identifier: BSD-3-Clause
// Copies of packets from one worker to the file that they are mirrored into, each with what was decided about it.
#pragma once

#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/flow/flow.h"
#include "dataplane/snapshot.h"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

namespace weir::dataplane {

/// What is told of a mirrored packet beside its bytes.
struct MirrorTag {
    std::uint64_t time_ns = 0;                  ///< of the packet, since the Unix epoch
    std::uint64_t generation = 0;               ///< of the snapshot that decided
    std::array<Verdict, kMaxSlots> verdicts{};  ///< the flow's, as they acted
    std::uint8_t policy = 0;                    ///< index into PolicySet::policies
    std::uint8_t row = 0;                       ///< of that policy
    std::uint8_t dscp = kKeepDscp;              ///< written into the packet that goes on
    Disposition disposition = Disposition::forward;
    DropReason reason = DropReason::policy;  ///< where it was dropped
    bool reset = false;                      ///< dropped, and both ends told
};

/// Bounded; neither side ever waits for the other: single producer, single consumer, and memory that the worker alone
/// takes and the consumer alone gives back.
class MirrorRing {
  public:
    /// `packets` copies of up to `snap_bytes` may wait. `name` unique in the process, ≤ 20 characters. Needs EAL.
    /// Thread: main.
    [[nodiscard]] static Result<std::unique_ptr<MirrorRing>> create(
        const std::string& name, std::uint32_t packets, std::uint32_t snap_bytes);
    /// Nobody uses it any more, and every copy that was popped has been freed.
    ~MirrorRing();
    MirrorRing(const MirrorRing&) = delete;
    MirrorRing& operator=(const MirrorRing&) = delete;

    /// Copies `packet`, received on DPDK's port `port_id`, as it is now. False: there is no room. Thread: the worker.
    [[nodiscard]] bool push(
        const rte_mbuf& packet,
        std::uint16_t port_id,
        std::uint16_t queue,
        const MirrorTag& tag) noexcept;

    /// Takes up to out.size() copies, formatted by rte_pcapng_copy(): the caller frees them. Thread: one, not a worker.
    [[nodiscard]] std::uint32_t pop(std::span<rte_mbuf*> out) noexcept;
    /// What was told of a copy.
    [[nodiscard]] static const MirrorTag& tag(const rte_mbuf& copy) noexcept;

    /// Bytes behind a copy that its owner may write into.
    static constexpr std::uint32_t kTailBytes = 640;

  private:
    MirrorRing() = default;
    rte_mempool* pool_ = nullptr;
    rte_ring* ring_ = nullptr;
    std::uint32_t snap_bytes_ = 0;
};

}  // namespace weir::dataplane
