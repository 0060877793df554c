// SPDX-License-Identifier: BSD-3-Clause
// `shaping`: what a good one becomes, and what is said of bad ones.
#include "config/load.h"

#include <gmock/gmock.h>

namespace weir::config {
namespace {

using testing::ElementsAre;

// Four good lines, so that what a case adds starts on line 5.
const std::string kPorts =
    "ports:\n"
    "  - {name: lan, device: net_null0}\n"
    "  - {name: wan, device: net_null1}\n"
    "pairs: [[lan, wan]]\n";

const std::string kGood = kPorts +
                          "shaping:\n"
                          "  ports: [{port: wan, rate_kbps: 20000}]\n"
                          "  queues:\n"
                          "    - {name: voice, classes: [telephony], dscp: [EF], max_share: 0.3}\n"
                          "    - {name: data, weight: 4}\n"
                          "    - {name: bulk, weight: 1, classes: [low_priority_data]}\n";

std::string finding(const std::string& text) {
    const auto loaded = load_text(text, "weir.yaml");
    if (loaded) {
        return "accepted";
    }
    return loaded.error().size() == 1
               ? loaded.error()[0].line()
               : std::to_string(loaded.error().size()) + " findings: " + loaded.error()[0].line();
}

std::string with_queues(const std::string& queues) {
    return finding(
        kPorts + "shaping:\n  ports: [{port: wan, rate_kbps: 20000}]\n  queues:\n" + queues);
}

TEST(Shaping, SilenceShapesNothing) {
    EXPECT_TRUE(load_text(kPorts, "weir.yaml")->shaping.ports.empty());
}

TEST(Shaping, AGoodOneHasAllThatItSays) {
    const auto loaded = load_text(
        kGood +
            "  queue_packets: 200\n"
            "  red: {min_packets: 20, max_packets: 60, one_in: 20, ecn: false}\n"
            "  subscribers:\n"
            "    - {name: a, rate_kbps: 5000, prefixes: [10.0.0.0/24], vlans: [100, 101]}\n",
        "weir.yaml");
    ASSERT_TRUE(loaded) << loaded.error()[0].line();
    const Shaping& shaping = loaded->shaping;
    EXPECT_EQ(shaping.ports.at(0).port, "wan");
    EXPECT_EQ(shaping.ports.at(0).rate_kbps, 20000U);
    ASSERT_EQ(shaping.queues.size(), 3U);
    EXPECT_EQ(shaping.queues[0].weight, 0U);
    EXPECT_EQ(shaping.queues[0].max_share, 0.3);
    EXPECT_THAT(shaping.queues[0].dscp, ElementsAre(46));
    EXPECT_EQ(shaping.queues[2].weight, 1U);
    EXPECT_EQ(shaping.red.max_packets, 60U);
    EXPECT_FALSE(shaping.red.ecn);
    EXPECT_THAT(shaping.subscribers.at(0).vlans, ElementsAre(100, 101));
    EXPECT_EQ(shaping.subscribers[0].prefixes.at(0).length, 96 + 24);
}

TEST(Shaping, AWrongPortIsNamedWithItsLine) {
    EXPECT_EQ(
        finding(
            kPorts + "shaping:\n  ports: [{port: wam, rate_kbps: 20000}]\n"
                     "  queues: [{name: a, weight: 1}]\n"),
        "weir.yaml:6: shaping.ports[0].port: no port 'wam'; fix: did you mean 'wan'?");
    EXPECT_EQ(
        finding(kPorts + "shaping:\n  ports: [{port: wan}]\n  queues: [{name: a, weight: 1}]\n"),
        "weir.yaml:6: shaping.ports[0].rate_kbps: missing; fix: add 'rate_kbps:'");
}

TEST(Shaping, QueuesThatCannotBeServedAreRefused) {
    EXPECT_THAT(
        with_queues("    - {name: a}\n"),
        testing::HasSubstr("shaping.queues: no weighted queue, so nothing takes what no class"));
    EXPECT_THAT(
        with_queues("    - {name: a, weight: 1}\n    - {name: b}\n"),
        testing::StartsWith("weir.yaml:9: shaping.queues[1].weight: a strict queue below a"));
    EXPECT_THAT(
        with_queues("    - {name: a, weight: 1}\n    - {name: a, weight: 1}\n"),
        testing::StartsWith("weir.yaml:9: shaping.queues[1].name: 'a' is there twice"));
    EXPECT_THAT(
        with_queues("    - {name: a, classes: [x]}\n    - {name: b, weight: 1, classes: [x]}\n"),
        testing::StartsWith("weir.yaml:9: shaping.queues[1].classes: 'x' is in two queues"));
    EXPECT_THAT(
        with_queues("    - {name: a, weight: 7}\n    - {name: b, weight: 254}\n"
                    "    - {name: c, weight: 11}\n"),
        testing::HasSubstr("least common multiple, 19558, is more than 255 times this one"));
    EXPECT_THAT(
        with_queues("    - {name: a, weight: 1, otherwise: true}\n"
                    "    - {name: b, weight: 1, otherwise: true}\n"),
        testing::HasSubstr("another queue takes the rest already"));
}

TEST(Shaping, SubscribersThatOverlapOrExceedThePortAreRefused) {
    const std::string two = kGood + "  subscribers:\n    - {name: a, rate_kbps: 100, vlans: [5]}\n";
    EXPECT_THAT(
        finding(two + "    - {name: b, rate_kbps: 100, vlans: [5]}\n"),
        testing::HasSubstr("shaping.subscribers[1].vlans: 5 is another's"));
    EXPECT_THAT(
        finding(two + "    - {name: b, rate_kbps: 30000, vlans: [6]}\n"),
        testing::HasSubstr("30000 is more than port 'wan' has (20000)"));
    EXPECT_THAT(
        finding(two + "    - {name: b, rate_kbps: 100}\n"),
        testing::HasSubstr("shaping.subscribers[1]: no packet is this subscriber's"));
}

TEST(Shaping, TwoWorkersCannotShareAPortsQueues) {
    EXPECT_THAT(
        finding("workers: {lcores: [1, 2]}\n" + kGood),
        testing::HasSubstr("a port's queues belong to one worker, workers.lcores names 2"));
}

TEST(Shaping, ASlotThatIsNotThereIsNamed) {
    EXPECT_THAT(
        finding(kGood + "  slot: qoz\n"), testing::HasSubstr("shaping.slot: no slot 'qoz'"));
}

TEST(Shaping, LimitsOfEarlyDetectionStandInOrder) {
    EXPECT_THAT(
        finding(kGood + "  red: {min_packets: 20, max_packets: 20}\n"),
        testing::HasSubstr("shaping.red.max_packets: 20 is not more than min_packets"));
    EXPECT_THAT(
        finding(kGood + "  red: {min_packets: 20, max_packets: 500}\n"),
        testing::HasSubstr("500 is more than shaping.queue_packets"));
}

}  // namespace
}  // namespace weir::config
