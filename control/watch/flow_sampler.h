// SPDX-License-Identifier: BSD-3-Clause
// One flow's next packet, from whichever worker has it: one after another, each for a bounded time.
#pragma once

#include "dataplane/runtime.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>

namespace weir::control {

/// Workers are asked only while somebody waits. Thread: control.
class FlowSampler {
  public:
    using Clock = std::chrono::steady_clock;
    using Answer = std::function<void(const std::optional<dataplane::FlowSample>&)>;
    /// That wait or are being answered.
    static constexpr std::size_t kMost = 4;
    /// A worker that has not forgotten the one before after so long answers nothing any more.
    static constexpr std::chrono::seconds kPatience{2};

    /// `runtime` must outlive this.
    explicit FlowSampler(dataplane::Runtime& runtime) : runtime_(runtime) {}

    /// Calls `answer`, from a later turn(), with the flow's next packet; none: there was none within `wait` of this one's
    /// turn, or it is no longer `wanted`. False: kMost wait already, and `answer` will not be called.
    [[nodiscard]] bool ask(
        const dataplane::FlowKey& key,
        std::chrono::milliseconds wait,
        std::function<bool()> wanted,
        Answer answer);
    /// To be called every few milliseconds.
    void turn(Clock::time_point now);

  private:
    struct Pending {
        dataplane::FlowKey key;
        std::chrono::milliseconds wait{};
        std::function<bool()> wanted;
        Answer answer;
        std::optional<Clock::time_point> until{};  ///< none: its turn has not begun
        bool asked = false;                        ///< the workers are
    };

    dataplane::Runtime& runtime_;
    std::deque<Pending> pending_;  ///< the first has its turn
};

}  // namespace weir::control
