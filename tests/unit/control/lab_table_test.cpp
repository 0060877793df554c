// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_table.h"
#include "tests/unit/control/lab_fixtures.h"

#include <gtest/gtest.h>

namespace weir::lab {
namespace {

constexpr const char* kHeader =
    "file,proto,src,sport,dst,dport,first_ts,last_ts,packet,label,group,a,b,a_code,b_code,ttl_"
    "code\n";

std::string row(
    const std::string& flow,
    const std::string& packet,
    const std::string& label,
    const std::string& codes) {
    return "x.pcap,6,10.0.0.1," + flow + ",10.0.0.2,80,1.5,1." + packet + "5," + packet + "," +
           label + ",lab,0.5,1.5," + codes + "\n";
}

class Table : public ::testing::Test {
  protected:
    Result<FeatureTable> load(const std::string& rows, std::vector<std::string> only = {}) {
        return load_table(
            {dir_.write("t.csv", kHeader + rows), {"benign", "scan"}, {"ttl*"}, std::move(only)});
    }
    test::TempDir dir_;
};

TEST_F(Table, RowsOfAFlowComeTogetherInOrder) {
    const auto table = load(
        row("1", "2", "scan", "3,4,9") + row("2", "1", "benign", "5,6,9") +
        row("1", "1", "scan", "1,2,9") + row("3", "1", "", "7,8,9"));
    ASSERT_TRUE(table) << table.error().line();
    EXPECT_EQ(table->features, (std::vector<std::string>{"a", "b"}));
    ASSERT_EQ(table->flows.size(), 2U);
    EXPECT_EQ(table->flows[0].label, 1U);
    EXPECT_EQ(table->flows[0].rows, 2U);
    EXPECT_EQ(table->packets, (std::vector<std::uint32_t>{1, 2, 1}));
    EXPECT_EQ(table->codes, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(table->flow_of, (std::vector<std::uint32_t>{0, 0, 1}));
    EXPECT_EQ(table->groups, std::vector<std::string>{"lab"});
    EXPECT_EQ(table->digest.size(), 64U);
    EXPECT_EQ(table->captures, 1U);
    EXPECT_DOUBLE_EQ(table->flows[0].begin, 1.5);
    EXPECT_DOUBLE_EQ(table->flows[0].end, 1.25);  // the test's rows end at 1.PACKET5
}

TEST_F(Table, AModelsInputsAreTakenInItsOrder) {
    const auto table = load(row("1", "1", "scan", "1,2,3"), {"ttl", "a"});
    ASSERT_TRUE(table) << table.error().line();
    EXPECT_EQ(table->codes, (std::vector<std::uint8_t>{3, 1}));
    EXPECT_EQ(load(row("1", "1", "scan", "1,2,3"), {"absent"}).error().field, "absent_code");
}

TEST_F(Table, BadRowsAreRefusedByLineAndColumn) {
    const auto code = load(row("1", "1", "scan", "1,2,3") + row("1", "1", "scan", "1,256,3"));
    ASSERT_FALSE(code);
    EXPECT_EQ(code.error().field, "b_code");
    EXPECT_NE(code.error().where.find("t.csv:3"), std::string::npos);
    EXPECT_EQ(load(row("1", "one", "scan", "1,2,3")).error().field, "packet");
    EXPECT_EQ(load(row("1", "1", "worm", "1,2,3")).error().field, "label");
    EXPECT_EQ(load(row("1", "1", "", "1,2,3")).error().field, "label");
    EXPECT_FALSE(load_table({dir_.path("absent.csv"), {"benign"}, {}, {}}));
    EXPECT_FALSE(load_table({dir_.write("u.csv", "file,proto\n"), {"benign"}, {}, {}}));
}

TEST(Patterns, StarsStandForAnyText) {
    const std::vector<std::string> patterns{"*ttl*", "exact", "pre*"};
    for (const auto* yes : {"ttl", "fwd_ttl_min", "exact", "pre", "prefix"}) {
        EXPECT_TRUE(matches_any(yes, patterns)) << yes;
    }
    for (const auto* no : {"tt", "exactly", "apre", ""}) {
        EXPECT_FALSE(matches_any(no, patterns)) << no;
    }
}

}  // namespace
}  // namespace weir::lab
