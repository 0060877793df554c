// SPDX-License-Identifier: BSD-3-Clause
// What operators ask about flows while they live: verdicts as they are set, and the table's flows by some order.
#pragma once

#include "config/policy.h"
#include "control/gateway_view.h"
#include "control/watch/flow_sampler.h"
#include "dataplane/runtime.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

/// All that is set must hold. `slot`, `cls` and `min_score` speak of one and the same verdict of the flow.
struct FlowFilter {
    std::optional<std::size_t> slot;                           ///< index
    std::string cls;                                           ///< empty: any
    std::optional<config::Prefix> prefix;                      ///< either end lies in it
    std::uint16_t min_score = 0;                               ///< as Verdict::score
    std::function<bool(const dataplane::FlowRecord&)> also{};  ///< empty: nothing more

    [[nodiscard]] bool lets_through(
        const dataplane::FlowRecord& record, const std::vector<std::string>& slots) const;
};

enum class FlowOrder : std::uint8_t { bytes, packets, score, recent };

struct FlowQuery {
    FlowFilter filter;
    FlowOrder by = FlowOrder::bytes;  ///< `score`: that of filter.slot, which must be set
    std::uint32_t top = 20;
};

/// Which model a verdict's reference stands for.
struct ModelLabel {
    std::string name;
    std::uint32_t version = 0;
};
using ModelLabels = std::map<std::uint16_t, ModelLabel>;

/// Flows and what is needed to name their verdicts.
struct FlowAnswer {
    std::vector<dataplane::FlowRecord> flows;  ///< the greatest by the order first
    std::uint64_t live = 0;                    ///< flows looked at
    std::uint64_t matched = 0;                 ///< of them, those that the filter lets through
    bool complete = true;                      ///< false: some worker did not answer in time
    std::shared_ptr<const ModelLabels> models;
    std::shared_ptr<const dataplane::OverrideSet> overrides;  ///< null: there are none
};

/// One reader's verdicts on their way from the control thread. Bounded: what a slow reader leaves no room for is counted.
/// Thread: any.
class VerdictFeed {
  public:
    static constexpr std::size_t kMostPending = 8192;

    struct Portion {
        std::vector<dataplane::FlowRecord> verdicts;
        std::uint64_t missed = 0;  ///< since the portion before
        std::shared_ptr<const ModelLabels> models;
    };

    explicit VerdictFeed(FlowFilter filter) : filter_(std::move(filter)) {}

    /// The oldest `most` of what is pending.
    [[nodiscard]] Portion take(std::size_t most = kMostPending);

  private:
    friend class FlowWatch;
    /// How many found no room.
    std::uint64_t add(
        std::span<const dataplane::FlowRecord> records,
        const std::vector<std::string>& slots,
        std::uint64_t lost,
        const std::shared_ptr<const ModelLabels>& models);

    const FlowFilter filter_;
    std::mutex mutex_;
    Portion pending_;
};

/// Workers are asked only while somebody reads. Thread: control.
class FlowWatch {
  public:
    using Clock = std::chrono::steady_clock;
    /// Without a flow from any worker a walk is given up for this answer; the workers finish it in their own time.
    static constexpr std::chrono::seconds kPatience{2};
    /// Queries that wait or are being answered.
    static constexpr std::size_t kMostQueries = 16;

    /// `runtime` must outlive this; `slots`: names by index.
    FlowWatch(dataplane::Runtime& runtime, std::vector<std::string> slots);

    [[nodiscard]] const std::vector<std::string>& slots() const noexcept { return slots_; }
    /// Verdicts from now on, as long as the result lives.
    [[nodiscard]] std::shared_ptr<VerdictFeed> subscribe(FlowFilter filter);
    /// Calls `answer`, from a later turn(), with the flows of a walk that began after this call.
    /// False: kMostQueries wait already, and `answer` will not be called.
    [[nodiscard]] bool query(FlowQuery query, std::function<void(FlowAnswer)> answer);
    /// Single packets of single flows, from the same turns.
    [[nodiscard]] FlowSampler& sampler() noexcept { return sampler_; }
    [[nodiscard]] dataplane::Runtime& runtime() noexcept { return runtime_; }
    [[nodiscard]] const std::shared_ptr<const ModelLabels>& models() const noexcept {
        return models_;
    }
    /// Takes what the workers have told; to be called every few milliseconds.
    void turn(Clock::time_point now);
    [[nodiscard]] TailLosses losses() const;

  private:
    struct Pending {
        FlowQuery query;
        std::function<void(FlowAnswer)> answer;
        FlowAnswer found;
    };

    void learn_models();
    void turn_verdicts();
    void turn_walk(Clock::time_point now);
    void begin_walk(Clock::time_point now);
    void finish(bool complete);

    dataplane::Runtime& runtime_;
    FlowSampler sampler_;
    std::vector<std::string> slots_;
    std::vector<dataplane::FlowRecord> records_;
    std::uint64_t generation_ = ~std::uint64_t{0};
    std::shared_ptr<const ModelLabels> models_;
    std::vector<std::weak_ptr<VerdictFeed>> feeds_;
    bool telling_ = false;
    std::uint64_t lost_by_readers_ = 0;
    std::uint64_t lost_ = 0;        ///< by the workers' rings, as last seen
    std::vector<Pending> waiting_;  ///< for the next walk
    std::vector<Pending> walking_;  ///< for the one under way
    bool under_way_ = false;        ///< workers have not all said that they are through
    Clock::time_point progress_;    ///< of the walk
};

}  // namespace weir::control
