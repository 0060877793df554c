// SPDX-License-Identifier: BSD-3-Clause
// A walk finds every flow once, whatever room its ring has.
#include "dataplane/inspect.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint32_t kCapacity = 1U << 15;

class InspectTest : public testing::Test {
  protected:
    void SetUp() override {
        FlowTable::Options options;
        options.config.capacity = kCapacity;
        auto flows = FlowTable::create(options);
        ASSERT_TRUE(flows) << flows.error().line();
        flows_ = std::move(*flows);
        auto inspector = Inspector::create("inspect_test");
        ASSERT_TRUE(inspector) << inspector.error().line();
        inspector_ = std::move(*inspector);
    }

    /// As many of `count` different flows as find a place; their packet counts name them.
    void fill(std::uint32_t count) {
        for (std::uint32_t n = 1; n <= count; ++n) {
            FlowKey key;
            key.ip_version = 4;
            key.tunnel_id = n;
            const std::uint64_t hash = flows_->hash(key);
            const std::uint32_t at = flows_->choose_slot(hash, 0);
            if (at != kNoFlow && !flows_->occupied(at)) {
                flows_->occupy(at, key, hash).packets[0] = n;
                flows_->verdicts(at)->cls = static_cast<std::uint8_t>(n % 7);
                names_.insert(n);
            }
        }
    }
    /// Takes all there is; the names of the flows, in the order they came.
    [[nodiscard]] std::vector<std::uint32_t> take(bool& over) {
        std::vector<FlowRecord> records(100);
        std::vector<std::uint32_t> names;
        for (std::uint32_t taken = 100; taken == records.size();) {
            taken = inspector_->pop_flows(records, over);
            for (std::uint32_t r = 0; r < taken; ++r) {
                names.push_back(records[r].packets[0]);
                EXPECT_EQ(records[r].verdicts[0].cls, names.back() % 7);
                EXPECT_EQ(records[r].end, FlowEnd::live);
            }
        }
        return names;
    }

    std::unique_ptr<FlowTable> flows_;
    std::unique_ptr<Inspector> inspector_;
    std::set<std::uint32_t> names_;
};

TEST_F(InspectTest, AWalkFindsEveryFlowOnce) {
    fill(20000);  // more than the ring holds
    ASSERT_GT(names_.size(), 2 * Inspector::kFlowRecords);
    for (int again = 0; again < 2; ++again) {
        EXPECT_FALSE(inspector_->asked());
        inspector_->start_walk();
        std::vector<std::uint32_t> found;
        bool over = false;
        // Control is slow: it takes some only after many batches.
        for (int turn = 0; !over && turn < 100; ++turn) {
            for (int batch = 0; batch < 100; ++batch) {
                inspector_->walk(*flows_);
            }
            const auto names = take(over);
            found.insert(found.end(), names.begin(), names.end());
        }
        EXPECT_TRUE(over);
        EXPECT_FALSE(inspector_->asked());
        EXPECT_EQ(found.size(), names_.size());
        EXPECT_EQ(std::set<std::uint32_t>(found.begin(), found.end()), names_);
    }
}

TEST_F(InspectTest, AWalkIsNotOverBeforeItsFlowsAreTaken) {
    fill(300);
    inspector_->start_walk();
    bool over = true;
    EXPECT_TRUE(take(over).empty());
    EXPECT_FALSE(over) << "no batch has passed";
    for (std::uint32_t batch = 0; batch < kCapacity / Inspector::kSlotsPerBatch; ++batch) {
        EXPECT_TRUE(inspector_->asked());
        inspector_->walk(*flows_);
    }
    EXPECT_FALSE(inspector_->asked());
    std::vector<FlowRecord> few(10);
    EXPECT_EQ(inspector_->pop_flows(few, over), 10U);
    EXPECT_FALSE(over);
    EXPECT_EQ(take(over).size(), names_.size() - 10);
    EXPECT_TRUE(over);
}

TEST_F(InspectTest, AnEmptyTableIsAWalk) {
    inspector_->start_walk();
    for (std::uint32_t batch = 0; batch < kCapacity / Inspector::kSlotsPerBatch; ++batch) {
        inspector_->walk(*flows_);
    }
    bool over = false;
    EXPECT_TRUE(take(over).empty());
    EXPECT_TRUE(over);
}

}  // namespace
}  // namespace weir::dataplane
