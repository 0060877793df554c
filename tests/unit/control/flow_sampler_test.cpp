// SPDX-License-Identifier: BSD-3-Clause
// One after another, each for a bounded time.
#include "control/watch/flow_sampler.h"

#include "fake_runtime.h"

#include <gtest/gtest.h>

namespace weir::control::test {
namespace {

using namespace std::chrono_literals;

class FlowSamplerTest : public testing::Test {
  protected:
    [[nodiscard]] static dataplane::FlowKey key(std::uint32_t name) {
        dataplane::FlowKey out;
        out.ip_version = 4;
        out.tunnel_id = name;
        return out;
    }
    /// Notes its answer under `name`: 1 a packet, −1 none.
    [[nodiscard]] bool ask(std::uint32_t name, std::chrono::milliseconds wait = 5s) {
        return sampler_.ask(
            key(name),
            wait,
            [this] { return wanted_; },
            [this, name](const auto& sample) {
                answers_.push_back(sample ? static_cast<int>(name) : -static_cast<int>(name));
                EXPECT_TRUE(!sample || sample->flow.key == key(name));
            });
    }
    void packet(std::uint32_t name) {
        dataplane::FlowSample sample;
        sample.flow.key = key(name);
        runtime_.add_sample(sample);
    }

    FakeRuntime runtime_;
    FlowSampler sampler_{runtime_};
    std::vector<int> answers_;
    bool wanted_ = true;
    FlowSampler::Clock::time_point now_{};
};

TEST_F(FlowSamplerTest, AsksNobodyUntilSomebodyWaits) {
    sampler_.turn(now_);
    EXPECT_FALSE(runtime_.sampling());
    EXPECT_EQ(runtime_.asked_samples(), 0U);
}

TEST_F(FlowSamplerTest, AnswersInTurnEachWithItsOwnPacket) {
    ASSERT_TRUE(ask(1));
    ASSERT_TRUE(ask(2));
    packet(2);
    sampler_.turn(now_);
    EXPECT_TRUE(answers_.empty()) << "the packet of another flow";
    packet(1);
    sampler_.turn(now_ + 1s);
    sampler_.turn(now_ + 1s);
    EXPECT_EQ(answers_, (std::vector<int>{1, 2}));
    EXPECT_FALSE(runtime_.sampling());
}

TEST_F(FlowSamplerTest, AFlowWithoutAPacketEndsTheWaitNotTheNextOnes) {
    ASSERT_TRUE(ask(1, 5s));
    ASSERT_TRUE(ask(2, 5s));
    sampler_.turn(now_);
    sampler_.turn(now_ + 4999ms);
    EXPECT_TRUE(answers_.empty());
    sampler_.turn(now_ + 5s);
    EXPECT_EQ(answers_, std::vector<int>{-1});
    sampler_.turn(now_ + 6s);
    packet(2);
    sampler_.turn(now_ + 10s);
    EXPECT_EQ(answers_, (std::vector<int>{-1, 2})) << "its time began with its turn";
}

TEST_F(FlowSamplerTest, NobodyWaitsForAClientThatIsGone) {
    ASSERT_TRUE(ask(1));
    sampler_.turn(now_);
    wanted_ = false;
    sampler_.turn(now_ + 1ms);
    EXPECT_EQ(answers_, std::vector<int>{-1});
    EXPECT_FALSE(runtime_.sampling());
}

TEST_F(FlowSamplerTest, WhoWaitIsBounded) {
    for (std::uint32_t n = 1; n <= FlowSampler::kMost; ++n) {
        ASSERT_TRUE(ask(n));
    }
    EXPECT_FALSE(ask(99));
    packet(1);
    sampler_.turn(now_);
    EXPECT_TRUE(ask(99));
}

}  // namespace
}  // namespace weir::control::test
