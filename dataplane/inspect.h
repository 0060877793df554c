// SPDX-License-Identifier: BSD-3-Clause
// What control asks of a worker beside its packets: verdicts as they come, a copy of the live flows, one flow's row.
#pragma once

#include "config/error.h"
#include "dataplane/batch.h"
#include "dataplane/event_ring.h"
#include "dataplane/flow/table.h"
#include "dataplane/rows.h"
#include "dataplane/sample.h"
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

    /// Nothing is asked for, and what was has been answered or withdrawn: ask_sample() may be called.
    [[nodiscard]] bool sample_free() const noexcept;
    /// Wants the next packet of the flow. Needs sample_free().
    void ask_sample(const FlowKey& key) noexcept;
    /// True once, when the packet has come.
    [[nodiscard]] bool take_sample(FlowSample& out) noexcept;
    /// Wants it no more. Free again when the worker has seen that, by its next batch.
    void withdraw_sample() noexcept;

    // ---- the worker --------------------------------------------------------------------------------------------------

    /// Control wants something.
    [[nodiscard]] bool asked() const noexcept {
        return asked_.load(std::memory_order_relaxed) != 0;
    }
    /// What observe() is to show rows to: `tap`, or, if control wants one and its flow has a packet in [begin, end), that
    /// one's taker. Before observe, on a segment that tell() is called for.
    [[nodiscard]] RowTap* sampler(
        const Batch& batch, std::uint32_t begin, std::uint32_t end, RowTap* tap) noexcept;
    /// Tells the flows of packets [begin, end) whose verdict was set by their own row, and the sample, if one was taken.
    /// After decide and enforce.
    void tell(
        const Batch& batch,
        std::uint32_t begin,
        std::uint32_t end,
        FlowTable& flows,
        const Snapshot& snapshot,
        const Rows& rows) noexcept;
    /// Goes on with a walk, if there is one: as far as kSlotsPerBatch and the ring's room allow. Forgets a sample that is
    /// withdrawn. Between batches only.
    void walk(FlowTable& flows) noexcept;

  private:
    static constexpr std::uint32_t kTell = 1;
    static constexpr std::uint32_t kWalk = 2;
    static constexpr std::uint32_t kSample = 4;
    static constexpr std::uint32_t kWithdraw = 8;

    /// Takes one packet's row.
    class Sampler final : public RowTap {
      public:
        Sampler() { only = kNone; }
        void on_row(
            const Batch& batch,
            std::uint32_t i,
            std::uint32_t flow_index,
            const Flow& flow,
            const FeatureRow& row) noexcept override;
        FlowSample sample;
    };

    Inspector() = default;
    void tell_set(
        const Batch& batch,
        std::uint32_t begin,
        std::uint32_t end,
        FlowTable& flows,
        const Snapshot& snapshot,
        const Rows& rows) noexcept;
    void finish_sample(const Batch& batch, FlowTable& flows, const Snapshot& snapshot) noexcept;

    /// Control sets bits. The worker clears kWalk when it is through, kSample when it has answered, and kSample and
    /// kWithdraw when it is asked to forget.
    std::atomic<std::uint32_t> asked_{0};
    FlowKey wanted_;        ///< control's while sample_free(), then the worker's
    Sampler sampler_;       ///< the worker's while kSample is set, then control's
    bool answered_ = true;  ///< control's: what was asked for has been taken or withdrawn
    std::atomic<std::uint64_t> verdicts_lost_{0};
    std::uint32_t cursor_ = 0;  ///< the worker's: next slot of the walk
    std::unique_ptr<EventRing> verdicts_;
    std::unique_ptr<EventRing> flows_;
};

}  // namespace weir::dataplane
