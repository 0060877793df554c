// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/policy_window.h"

#include <algorithm>
#include <cmath>

namespace weir::control {

namespace {

std::int64_t second_of(PolicyWindow::Clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::uint32_t key_of(std::size_t slot, std::uint8_t cls, std::uint32_t score) {
    return static_cast<std::uint32_t>(slot) << 16 | std::uint32_t{cls} << 8 | score;
}

}  // namespace

void PolicyWindow::add(std::span<const dataplane::FlowRecord> records, Clock::time_point now) {
    const auto number = second_of(now);
    auto& second = seconds_[static_cast<std::size_t>(number) % kSeconds];
    if (second.number != number) {
        second.number = number;
        second.sums.clear();
    }
    for (const auto& record : records) {
        for (std::size_t s = 0; s < record.verdicts.size(); ++s) {
            const auto& verdict = record.verdicts[s];
            if (verdict.cls == dataplane::kNoClass) {
                continue;
            }
            auto& sums = second.sums[key_of(s, verdict.cls, verdict.score >> 8)];
            sums.flows += 1;
            sums.packets += std::uint64_t{record.packets[0]} + record.packets[1];
            sums.bytes += record.bytes[0] + record.bytes[1];
        }
    }
}

FlowSums PolicyWindow::sum(
    std::size_t slot, std::uint8_t cls, double min_confidence, Clock::time_point now) const {
    const auto from =
        static_cast<std::uint32_t>(std::clamp(std::floor(min_confidence * 256.0), 0.0, 255.0));
    FlowSums out;
    for (const auto& second : seconds_) {
        if (second.number < 0 ||
            second_of(now) - second.number >= static_cast<std::int64_t>(kSeconds)) {
            continue;
        }
        for (const auto& [key, sums] : second.sums) {
            if (key >> 8 == key_of(slot, cls, 0) >> 8 && (key & 0xffU) >= from) {
                out.flows += sums.flows;
                out.packets += sums.packets;
                out.bytes += sums.bytes;
            }
        }
    }
    return out;
}

FlowSums PolicyWindow::acted(
    std::size_t slot,
    std::uint8_t cls,
    const config::ClassRule& rule,
    Clock::time_point now) const {
    return rule.action == config::ActionKind::pass ? FlowSums{}
                                                   : sum(slot, cls, rule.min_confidence, now);
}

double PolicyWindow::seconds(Clock::time_point now) const {
    return std::min<double>(kSeconds, std::chrono::duration<double>(now - start_).count());
}

}  // namespace weir::control
