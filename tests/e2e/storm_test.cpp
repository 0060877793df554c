// SPDX-License-Identifier: BSD-3-Clause
// A real worker under full load, a real registry over it: a storm of activations, and a canary that goes wrong.
#include "storm_fixture.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

namespace weir {
namespace {

/// Parts of a measurement, not a synchronisation.
void spin_for(std::chrono::milliseconds time) {
    for (const auto end = Clock::now() + time; Clock::now() < end;) {
    }
}

/// Writes, syncs and renames a small file again and again, as the registry stores its state.
void sync_for(const std::string& file, std::chrono::milliseconds time) {
    const std::string text(8192, 'x');
    for (const auto end = Clock::now() + time; Clock::now() < end;) {
        const int fd =
            ::open((file + ".new").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
        EXPECT_EQ(::fsync(fd), 0);
        (void)::close(fd);
        EXPECT_EQ(::rename((file + ".new").c_str(), file.c_str()), 0);
    }
}

TEST_F(StormTest, AThousandActivationsUnderFullLoadLoseNothing) {
    constexpr int kActivations = 1000;
    for (std::uint32_t version = 1; version <= 4; ++version) {
        push(
            {.name = "a",
             .slot = "anomaly",
             .version = version,
             .bias = static_cast<int>(version)});
        push({.name = "q", .slot = "qos", .version = version, .bias = static_cast<int>(version)});
    }
    ASSERT_TRUE(registry_->activate({"anomaly", "a", 1}, {}));
    ASSERT_TRUE(registry_->activate({"qos", "q", 1}, {}));
    spdlog::set_level(spdlog::level::warn);  // a line an activation helps nobody
    witness_.emplace(worker_->stats());
    note_published();
    measure("in peace", [] { std::this_thread::sleep_for(1s); });
    // What the sibling of a hyperthread takes by working at all, whatever it works at.
    measure("busy neighbour", [] { spin_for(1s); });
    measure("neighbour that syncs", [this] { sync_for(dir_ / "noise", 1s); });
    start();
    const std::size_t resident = resident_kb();
    const auto begin = Clock::now();
    std::vector<double> publish_us;
    for (int i = 0; i < kActivations; ++i) {
        const auto from = Clock::now();
        const bool anomaly = i % 2 == 0;
        const auto version = static_cast<std::uint32_t>(i / 2 % 4);
        const auto done = registry_->activate(
            {anomaly ? "anomaly" : "qos", anomaly ? "a" : "q", (version + 1) % 4 + 1}, {});
        ASSERT_TRUE(done) << done.error().error.line();
        note_published();
        publish_us.push_back(
            std::chrono::duration<double, std::micro>(Clock::now() - from).count());
    }
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    stop();
    const auto grown = static_cast<double>(resident_kb()) - static_cast<double>(resident);
    bursts_.print("under storm");
    std::printf(
        "%d activations in %.2f s; one takes p50 %.0f us, p99 %.0f us; memory grew by %.0f KiB\n",
        kActivations,
        took,
        percentile(publish_us, 0.5),
        percentile(publish_us, 0.99),
        grown);

    dataplane::Totals totals;
    add_totals(worker_->stats(), totals);
    EXPECT_TRUE(totals.conserved());
    EXPECT_EQ(totals.drops[static_cast<std::size_t>(dataplane::DropReason::tx_link_down)], 0U);
    EXPECT_EQ(totals.rx_packets, totals.tx_packets + totals.dropped());
    check_versions();
    // No row is without its model: what each version counted is what was scored, none twice, none lost.
    for (std::size_t s = 0; s < 2; ++s) {
        std::uint64_t rows = 0;
        for (const auto& total : ledger_->totals()) {
            rows += total.slot == config_.slots[s].name ? total.rows : 0;
        }
        EXPECT_EQ(rows, worker_->stats().slots[s].scored.get());
        EXPECT_GT(rows, 0U);
    }
    EXPECT_EQ(publisher_->swaps(), 2U + kActivations + 1U);
    EXPECT_EQ(worker_->stats().snapshot_generation.get(), publisher_->current().generation);
#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // which keep what is freed, or notes of it
    EXPECT_LT(grown, 4096.0) << "KiB; a leaked model a swap would be more";
#endif
}

TEST_F(StormTest, ACanaryThatDropsEverythingIsTakenBackByItself) {
    config_.slots[0].guardrails.max_drop_share = 0.01;
    config_.slots[0].guardrails.min_rows = 1000;
    open_registry();
    // Class "benign" where the bias says so; "scan", which the rules drop, elsewhere.
    push({.name = "good", .version = 1, .classes = {"benign", "other"}});
    push({.name = "bad", .version = 1, .classes = {"scan", "scan2"}});
    ASSERT_TRUE(registry_->activate({"anomaly", "good", 1}, {}));
    control::Guard guard(infos_, 1e9);
    (void)guard.judge(config_, registry_->use(), Clock::now());
    ASSERT_TRUE(registry_->set_rule(
        "anomaly", "scan2", config::ClassRule{config::ActionKind::drop, 0, 0.0}, false, {}));
    ASSERT_TRUE(registry_->stage({{"anomaly", "bad", 1}, control::Stage::canary, 500, false}, {}));
    const auto dropped = [this] {
        return worker_->stats()
            .drops[static_cast<std::size_t>(dataplane::DropReason::policy)]
            .get();
    };
    // Judged every 250 ms by the gateway; here every 1000 bursts, so that the test does not depend on the clock.
    publisher_->go_online(0);
    auto now = Clock::now();
    std::optional<control::Breach> breach;
    std::vector<dataplane::FlowRecord> records(256);
    for (int turn = 0; turn < 20 && !breach; ++turn) {
        for (int n = 0; n < 1000; ++n) {
            (void)worker_->poll();
            while (worker_->events().pop(records) == records.size()) {
            }
        }
        now += 250ms;
        const auto broken = guard.judge(config_, registry_->use(), now);
        if (!broken.empty()) {
            breach = broken.front();
        }
    }
    ASSERT_TRUE(breach);
    EXPECT_EQ(breach->rail, "max_drop_share");
    const std::uint64_t hurt = dropped();
    publisher_->go_offline(0);
    ASSERT_TRUE(registry_->breach(breach->key, breach->why));
    publisher_->go_online(0);
    for (int n = 0; n < 5000; ++n) {
        (void)worker_->poll();
        while (worker_->events().pop(records) == records.size()) {
        }
    }
    publisher_->go_offline(0);
    EXPECT_GT(hurt, 0U);
    EXPECT_EQ(dropped(), hurt) << "not one packet more after the rollback";
    dataplane::Totals totals;
    add_totals(worker_->stats(), totals);
    std::printf(
        "canary of 5 %%: %llu packets dropped, of %llu in all, until it was taken back: %s\n",
        static_cast<unsigned long long>(hurt),
        static_cast<unsigned long long>(totals.rx_packets),
        breach->why.c_str());
    // Two looks of 64,000 packets each at most, and a twentieth of the flows.
    EXPECT_LT(hurt, 2U * 64'000U / 10);
    EXPECT_FALSE(registry_->stage({{"anomaly", "bad", 1}, control::Stage::canary, 500, false}, {}));
}

}  // namespace
}  // namespace weir
