// SPDX-License-Identifier: BSD-3-Clause
// Stage 6b, only where the policy asks for it: meters, limits, resets, copies, tags, and the false-alarm budget.
#pragma once

#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/flow/table.h"
#include "dataplane/meter.h"
#include "dataplane/mirror_ring.h"
#include "dataplane/policy.h"
#include "dataplane/worker_port.h"
#include "dataplane/worker_stats.h"

#include <cstdint>
#include <memory>
#include <span>

namespace weir::dataplane {

inline constexpr std::uint32_t kMaxMeters = 16;

/// How far enforcement has stepped down. Ordered: each does less than the one before.
enum class EnforcementLevel : std::uint8_t { drop, police, mark, observe };

/// The false-alarm budget of one worker, on packet time. A flow counts once each time that a rule begins to drop it.
class BudgetWatch {
  public:
    /// What holds for a packet at `now_ns`; first closes windows that have passed. Times may not run backwards by more
    /// than a window.
    [[nodiscard]] EnforcementLevel level(const PolicyLimits& limits, std::uint64_t now_ns) noexcept;
    /// A rule begins to drop a flow. True if that spent the budget: the level is one lower from now on.
    [[nodiscard]] bool flow_dropped(const PolicyLimits& limits, std::uint64_t now_ns) noexcept;

  private:
    EnforcementLevel level_ = EnforcementLevel::drop;
    std::uint32_t flows_ = 0;
    std::uint64_t window_start_ns_ = 0;
    std::uint64_t last_step_ns_ = 0;
};

/// A worker's state of enforcement. Outlives snapshots: a bucket whose meter did not change keeps its tokens.
/// create() on the main thread; the rest on the worker's.
class Enforcer {
  public:
    /// `flows`: capacity of the worker's flow table. Ports, links and stats must outlive it.
    [[nodiscard]] static Result<std::unique_ptr<Enforcer>> create(
        std::uint32_t flows,
        std::span<const WorkerPort> ports,
        const LinkStates& links,
        WorkerStats& stats);
    ~Enforcer();
    Enforcer(const Enforcer&) = delete;
    Enforcer& operator=(const Enforcer&) = delete;

    /// In packet order over [begin, end), after decide and before act: may turn forward into drop (police,
    /// new_flow_rate), drop into forward (budget spent), change the mark, write tags and inner headers, send copies and
    /// resets. Needs `snapshot.policy`. A meter counts from the outermost IP header to the frame's end.
    void enforce(
        Batch& batch,
        std::uint32_t begin,
        std::uint32_t end,
        FlowTable& flows,
        const Snapshot& snapshot) noexcept;

    /// Copies go into `ring` as well from now on; it must outlive the enforcer. Thread: main.
    void mirror_into(MirrorRing& ring) noexcept;

    /// Sends, or drops as tx would, the packets whose disposition is redirect. After act, before tx.
    void send_redirected(Batch& batch) noexcept;

  private:
    struct State;
    struct Packet;
    Enforcer();
    void prefetch_bucket(
        const Batch& batch, std::uint32_t i, std::uint32_t end, const PolicySet& set) noexcept;
    void keep_budget(const Packet& packet) noexcept;
    void limit_new_flow(const Packet& packet) noexcept;
    void police(const Packet& packet, std::uint8_t meter, std::uint8_t slot) noexcept;
    void mirror(const Packet& packet) noexcept;
    [[nodiscard]] bool copy_to_port(const Packet& packet) noexcept;
    [[nodiscard]] bool copy_to_ring(const Packet& packet) noexcept;
    void reset(const Packet& packet) noexcept;
    void rewrite(const Packet& packet) noexcept;
    [[nodiscard]] bool send_one(std::uint8_t port, rte_mbuf* packet) noexcept;
    std::unique_ptr<State> state_;
};

}  // namespace weir::dataplane
