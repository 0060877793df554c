// SPDX-License-Identifier: BSD-3-Clause
// What control asks of a worker beside its packets: verdicts as they come, and a copy of the live flows.
#pragma once

#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/event_ring.h"
#include "dataplane/flow/table.h"
#include "dataplane/rows.h"
#include "dataplane/snapshot.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace weir::dataplane {

/// One worker's. Control asks by one word that the worker reads once a batch; the worker answers through bounded rings
/// and never waits. While nothing is asked, that read is all it costs. The flow table is read by its worker alone:
/// a copied flow is whole, as it stood between two batches.
class Inspector {
  public:
    static constexpr std::uint32_t kVerdictRecords = 8192;
    static constexpr std::uint32_t kFlowRecords = 8192;
    /// Table slots looked at in one batch of a walk, so that a walk delays no packet for long.
    static constexpr std::uint32_t kSlotsPerBatch = 256;

    /// `name` unique in the process. Needs EAL. Thread: main.
    [[nodiscard]] static Result<std::unique_ptr<Inspector>> create(const std::string& name);
    ~Inspector() = default;
    Inspector(const Inspector&) = delete;
    Inspector& operator=(const Inspector&) = delete;

    // ---- control -----------------------------------------------------------------------------------------------------

    /// Verdicts are told from the worker's next batch on, or no more.
    void tell_verdicts(bool on) noexcept;
    /// Takes up to out.size() of them: a record a flow whose verdict a packet just set, as it stood after that packet.
    [[nodiscard]] std::uint32_t pop_verdicts(std::span<FlowRecord> out) noexcept;
    /// Verdicts that the ring had no room for, since start. Thread: any.
    [[nodiscard]] std::uint64_t verdicts_lost() const noexcept {
        return verdicts_lost_.load(std::memory_order_relaxed);
    }
    /// Begins a walk over the table. Not while one is under way: pop_flows() has to say `over` first.
    void start_walk() noexcept;
    /// Takes up to out.size() of the walk's flows. `over`: it has passed every slot and all of it has been taken.
    [[nodiscard]] std::uint32_t pop_flows(std::span<FlowRecord> out, bool& over) noexcept;

    // ---- the worker --------------------------------------------------------------------------------------------------

    /// Control wants something.
    [[nodiscard]] bool asked() const noexcept {
        return asked_.load(std::memory_order_relaxed) != 0;
    }
    /// Tells the flows of packets [begin, end) whose verdict was set by their own row. After decide and enforce.
    void tell(
        const Batch& batch,
        std::uint32_t begin,
        std::uint32_t end,
        FlowTable& flows,
        const Snapshot& snapshot,
        const Rows& rows) noexcept;
    /// Goes on with a walk, if there is one: as far as kSlotsPerBatch and the ring's room allow. Between batches only.
    void walk(FlowTable& flows) noexcept;

  private:
    static constexpr std::uint32_t kTell = 1;
    static constexpr std::uint32_t kWalk = 2;

    Inspector() = default;

    std::atomic<std::uint32_t> asked_{0};  ///< control sets kWalk, the worker clears it
    std::atomic<std::uint64_t> verdicts_lost_{0};
    std::uint32_t cursor_ = 0;  ///< the worker's: next slot of the walk
    std::unique_ptr<EventRing> verdicts_;
    std::unique_ptr<EventRing> flows_;
};

}  // namespace weir::dataplane
