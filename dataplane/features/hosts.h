// SPDX-License-Identifier: BSD-3-Clause
// Decayed aggregates of each host seen, for the `host` feature group: fixed memory, bounded probes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/flow/flow.h"

namespace weir::dataplane {

struct Host;  // one host's sketches, hosts.cpp

/// The aggregates of the two ends of a flow at one packet. Never null: a host without room shares a zero host.
struct HostPair {
    const Host* initiator = nullptr;
    const Host* responder = nullptr;
};

/// A worker's hosts. Owner and only toucher: its worker. Nothing is allocated after create().
class HostTable {
  public:
    [[nodiscard]] static Result<std::unique_ptr<HostTable>> create(std::uint32_t capacity, std::uint64_t seed);
    ~HostTable();
    HostTable(const HostTable&) = delete;
    HostTable& operator=(const HostTable&) = delete;

    void prefetch(const FlowKey& key) const noexcept;
    /// Accounts one packet to both of its flow's hosts and returns them. `new_flow`: it is the flow's first.
    HostPair update(
        const FlowKey& key,
        const PacketHeader& header,
        const Flow& flow,
        bool forward,
        bool new_flow,
        std::uint64_t now_ns) noexcept;
    [[nodiscard]] std::uint32_t live() const noexcept;
    [[nodiscard]] std::uint64_t evicted() const noexcept;

  private:
    HostTable() = default;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::dataplane
