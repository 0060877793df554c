// SPDX-License-Identifier: BSD-3-Clause
// Tables, numbers and rates that weirctl shows.
#include "control/ctl/print.h"
#include "control/ctl/rates.h"

#include <gtest/gtest.h>

namespace weir::ctl {
namespace {

namespace v1 = control::v1;

TEST(TextTable, WordsStandLeftNumbersRight) {
    TextTable table;
    table.row({"NAME", "COUNT", "RATE"});
    EXPECT_TRUE(table.empty());
    table.row({"a", "7", "1.5 k"});
    table.row({"longer", "12345", "99%"});
    EXPECT_FALSE(table.empty());
    EXPECT_EQ(
        table.text(),
        "NAME    COUNT   RATE\n"
        "a           7  1.5 k\n"
        "longer  12345    99%\n");
}

TEST(TextTable, RowsMayBeShortAndCellsEmpty) {
    TextTable table;
    table.row({"A", "B", "C"});
    table.row({"x"});
    table.row({"", "y"});
    EXPECT_EQ(table.text(), "A  B  C\nx\n   y\n");
}

TEST(Screen, NeverScrolls) {
    const std::string text = "first line\nsecond\nthird\n";
    EXPECT_EQ(screen(text, 2, 5), "\033[Hfirst\033[K\r\nsecon\033[K\033[J");
    EXPECT_EQ(screen(text, 0, 0), "\033[Hfirst line\033[K\r\nsecond\033[K\r\nthird\033[K\033[J");
    EXPECT_EQ(screen("", 10, 10), "\033[H\033[J");
    EXPECT_EQ(screen("no newline", 10, 80), "\033[Hno newline\033[K\033[J");
}

TEST(Text, NumbersKeepThreeDigits) {
    EXPECT_EQ(metric_prefix(0), "0");
    EXPECT_EQ(metric_prefix(7), "7");
    EXPECT_EQ(metric_prefix(999), "999");
    EXPECT_EQ(metric_prefix(1000), "1.00 k");
    EXPECT_EQ(metric_prefix(9994), "9.99 k");
    EXPECT_EQ(metric_prefix(9996), "10.0 k");
    EXPECT_EQ(metric_prefix(99'960), "100 k");
    EXPECT_EQ(metric_prefix(999'600), "1.00 M");
    EXPECT_EQ(metric_prefix(1.48e10), "14.8 G");
    EXPECT_EQ(metric_prefix(5e15), "5000 T");
}

TEST(Text, DurationsAndDates) {
    EXPECT_EQ(duration(0.4), "0 s");
    EXPECT_EQ(duration(59.9), "59 s");
    EXPECT_EQ(duration(61), "1 min 1 s");
    EXPECT_EQ(duration(3661), "1 h 1 min");
    EXPECT_EQ(duration(90'000), "1 d 1 h");
    EXPECT_EQ(date(0), "never");
    EXPECT_EQ(date(1'700'000'000), "2023-11-14 22:13 UTC");
}

v1::Status status(double at, std::uint64_t rx, std::uint64_t scans) {
    v1::Status out;
    out.set_monotonic_seconds(at);
    out.set_rx_packets(rx);
    out.set_rx_bytes(rx * 100);
    out.set_tx_packets(rx);
    auto& worker = *out.add_workers();
    worker.set_index(0);
    worker.set_lcore(3);
    worker.set_rx_packets(rx);
    worker.set_bursts(rx / 10);
    worker.set_idle_polls(rx / 10);
    worker.set_burst_cycles(rx * 200);
    worker.set_busy_seconds(at / 2.0);
    worker.set_overload_step("due");
    worker.set_unscored_packets(scans * 10);
    auto& added = *worker.mutable_added_latency();
    added.set_max_us(90.0);
    for (const double us : {3.0, 100.0}) {
        auto& bucket = *added.add_buckets();
        bucket.set_up_to_us(us);
        bucket.set_packets(us < 50.0 ? rx * 9 / 10 : rx / 10);
    }
    auto& slot = *out.add_slots();
    slot.set_name("anomaly");
    slot.mutable_active()->set_name("m");
    slot.mutable_active()->set_version(2);
    auto& count = *slot.add_verdicts();
    count.set_class_name("scan");
    count.set_rows(scans);
    auto& drop = *out.add_drops();
    drop.set_reason("policy");
    drop.set_packets(scans);
    return out;
}

TEST(Rates, AreDifferencesPerSecond) {
    const auto rates = rates_between(status(10.0, 1000, 5), status(12.0, 3000, 25));
    EXPECT_DOUBLE_EQ(rates.seconds, 2.0);
    EXPECT_DOUBLE_EQ(rates.rx_pps, 1000.0);
    EXPECT_DOUBLE_EQ(rates.rx_bps, 800'000.0);
    ASSERT_EQ(rates.workers.size(), 1u);
    EXPECT_EQ(rates.workers[0].name, "0 (cpu 3)");
    EXPECT_DOUBLE_EQ(rates.workers[0].cycles_per_packet, 200.0);
    EXPECT_DOUBLE_EQ(rates.workers[0].packets_per_burst, 10.0);
    EXPECT_DOUBLE_EQ(rates.workers[0].busy, 0.5);
    EXPECT_EQ(rates.workers[0].overload_step, "due");
    EXPECT_DOUBLE_EQ(rates.workers[0].unscored_pps, 100.0);
    EXPECT_DOUBLE_EQ(rates.workers[0].added.p50_us, 3.0);
    EXPECT_DOUBLE_EQ(rates.workers[0].added.p99_us, 90.0) << "no longer than the longest";
    EXPECT_DOUBLE_EQ(rates.workers[0].added.max_us, 90.0);
    ASSERT_EQ(rates.classes.size(), 1u);
    EXPECT_EQ(rates.classes[0].model, "m@2");
    EXPECT_DOUBLE_EQ(rates.classes[0].rows_per_s, 10.0);
    ASSERT_EQ(rates.drops.size(), 1u);
    EXPECT_DOUBLE_EQ(rates.drops[0].pps, 10.0);
}

TEST(Rates, AnotherProcessAnswersNow) {
    const auto rates = rates_between(status(500.0, 9000, 90), status(1.0, 10, 1));
    EXPECT_EQ(rates.rx_pps, 0.0);
    EXPECT_EQ(rates.classes[0].rows_per_s, 0.0);
    EXPECT_EQ(rates.workers[0].cycles_per_packet, 0.0);
    const auto first = rates_between({}, status(2.0, 100, 4));
    EXPECT_DOUBLE_EQ(first.classes[0].rows_per_s, 2.0) << "all of it is new";
    EXPECT_EQ(rates_between({}, {}).workers.size(), 0u);
}

TEST(Rates, JsonHoldsTheSame) {
    const auto json = rates_json(status(10.0, 1000, 5), status(12.0, 3000, 25));
    EXPECT_EQ(json["rx_pps"], 1000.0);
    EXPECT_EQ(json["classes"][0]["rows_per_s"], 10.0);
    EXPECT_EQ(json["workers"][0]["worker"], "0 (cpu 3)");
    EXPECT_EQ(json["drops"][0]["reason"], "policy");
}

}  // namespace
}  // namespace weir::ctl
