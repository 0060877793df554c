// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/policy_window.h"

#include <vector>

#include <gtest/gtest.h>

namespace weir::control {
namespace {

using namespace std::chrono_literals;

dataplane::FlowRecord flow(std::uint8_t cls, double score, std::uint32_t packets) {
    dataplane::FlowRecord record;
    record.packets = {packets, 0};
    record.bytes = {packets * 100ULL, 0};
    record.verdicts[1].cls = cls;
    record.verdicts[1].score = static_cast<std::uint16_t>(score * 65535.0);
    return record;
}

TEST(PolicyWindow, SumsByClassAndConfidenceOverTheLastMinute) {
    PolicyWindow window;
    const auto now = PolicyWindow::Clock::now();
    const std::vector<dataplane::FlowRecord> first{
        flow(3, 0.95, 10), flow(3, 0.5, 20), flow(4, 0.99, 40)};
    window.add(first, now);
    const std::vector<dataplane::FlowRecord> later{flow(3, 0.95, 1)};
    window.add(later, now + 30s);
    EXPECT_EQ(window.sum(1, 3, 0.0, now + 30s).packets, 31U);
    EXPECT_EQ(window.sum(1, 3, 0.9, now + 30s).packets, 11U);
    EXPECT_EQ(window.sum(1, 3, 0.9, now + 30s).flows, 2U);
    EXPECT_EQ(window.sum(1, 3, 0.9, now + 30s).bytes, 1100U);
    EXPECT_EQ(window.sum(0, 3, 0.0, now + 30s).flows, 0U) << "another slot";
    EXPECT_EQ(window.sum(1, 3, 0.0, now + 61s).packets, 1U) << "the first second is gone";
    EXPECT_EQ(window.sum(1, 3, 0.0, now + 120s).flows, 0U);
    window.add(later, now + 90s);  // takes the place of second 30
    EXPECT_EQ(window.sum(1, 3, 0.0, now + 90s).packets, 1U);
    EXPECT_DOUBLE_EQ(window.seconds(now + 600s), 60.0);
}

TEST(PolicyWindow, ARuleThatPassesActsOnNothing) {
    PolicyWindow window;
    const auto now = PolicyWindow::Clock::now();
    const std::vector<dataplane::FlowRecord> flows{flow(3, 0.95, 10)};
    window.add(flows, now);
    EXPECT_EQ(window.acted(1, 3, {}, now).flows, 0U);
    EXPECT_EQ(window.acted(1, 3, {config::ActionKind::drop, 0, 0.9}, now).flows, 1U);
    EXPECT_EQ(window.acted(1, 3, {config::ActionKind::drop, 0, 0.99}, now).flows, 0U);
}

}  // namespace
}  // namespace weir::control
