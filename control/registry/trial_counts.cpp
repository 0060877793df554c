// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/trial_counts.h"

namespace weir::control {

Outcomes Outcomes::since(const Outcomes& base) const noexcept {
    return {
        rows - base.rows,
        alarms - base.alarms,
        drops - base.drops,
        saturated - base.saturated,
        packets - base.packets,
        packets_dropped - base.packets_dropped};
}

Outcomes read_outcomes(
    std::span<const dataplane::WorkerInfo> workers, std::size_t slot, std::uint8_t block) {
    Outcomes sum;
    for (const auto& worker : workers) {
        const auto& counts = worker.stats->slots[slot].outcomes[block];
        // Parts before wholes: a share read meanwhile is never above 1.
        sum.alarms += counts.alarms.get();
        sum.drops += counts.drops.get();
        sum.saturated += counts.saturated.get();
        sum.rows += counts.rows.get();
        sum.packets_dropped += counts.packets_dropped.get();
        sum.packets += counts.packets.get();
    }
    return sum;
}

PairCounts read_pairs(
    std::span<const dataplane::WorkerInfo> workers, std::size_t slot, std::uint8_t pair_block) {
    PairCounts sum{};
    for (const auto& worker : workers) {
        const auto& pairs = worker.stats->slots[slot].pairs[pair_block];
        for (std::size_t was = 0; was < sum.size(); ++was) {
            for (std::size_t is = 0; is < sum.size(); ++is) {
                sum[was][is] += pairs[was][is].get();
            }
        }
    }
    return sum;
}

ClassCounts read_classes(
    std::span<const dataplane::WorkerInfo> workers, std::size_t slot, std::uint8_t block) {
    ClassCounts sum{};
    for (const auto& worker : workers) {
        const auto& counts = worker.stats->slots[slot].verdicts[block];
        for (std::size_t c = 0; c < sum.size(); ++c) {
            sum[c] += counts[c].get();
        }
    }
    return sum;
}

std::uint64_t disagreements(const PairCounts& pairs) noexcept {
    std::uint64_t sum = 0;
    for (std::size_t was = 0; was < pairs.size(); ++was) {
        for (std::size_t is = 0; is < pairs.size(); ++is) {
            sum += was == is ? 0 : pairs[was][is];
        }
    }
    return sum;
}

}  // namespace weir::control
