// SPDX-License-Identifier: BSD-3-Clause
#include "config/load.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

TEST(Dscp, EveryValueSurvivesItsName) {
    for (unsigned value = 0; value < 64; ++value) {
        const auto dscp = static_cast<std::uint8_t>(value);
        EXPECT_EQ(parse_dscp(dscp_name(dscp)), dscp) << dscp_name(dscp);
        EXPECT_EQ(parse_dscp(std::to_string(value)), dscp);
    }
}

TEST(Dscp, NamesOfTheRfcs) {
    // RFC 2597 section 6: AFxy is 8x + 2y.
    for (unsigned x = 1; x <= 4; ++x) {
        for (unsigned y = 1; y <= 3; ++y) {
            const std::string name = "AF" + std::to_string(x) + std::to_string(y);
            EXPECT_EQ(parse_dscp(name), 8 * x + 2 * y) << name;
        }
    }
    for (unsigned x = 0; x <= 7; ++x) {
        EXPECT_EQ(parse_dscp("CS" + std::to_string(x)), 8 * x);
    }
    EXPECT_EQ(parse_dscp("EF"), 46);
    EXPECT_EQ(parse_dscp("VA"), 44);
    EXPECT_EQ(parse_dscp("LE"), 1);
    EXPECT_EQ(parse_dscp("DF"), 0);
    EXPECT_EQ(dscp_name(0), "DF");
    EXPECT_EQ(dscp_name(63), "63");
}

TEST(Dscp, RefusesWhatIsNone) {
    for (const char* text :
         {"",
          "64",
          "-1",
          "+1",
          "0x2e",
          "ef",
          "AF44",
          "AF10",
          "CS8",
          "46 ",
          " 46",
          "4.6",
          "99999999999"}) {
        EXPECT_FALSE(parse_dscp(text)) << "'" << text << "'";
    }
}

}  // namespace
}  // namespace weir::config
