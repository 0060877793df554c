// SPDX-License-Identifier: BSD-3-Clause
// What records that no cache holds cost on this machine, and how much of it overlaps: records of three lines at random
// places, asked for by prefetches in a loop of their own (dense), or each prefetched a batch ahead between the work for
// the batch before (spread). Where a miss of the TLB stalls the core, only dense loops overlap. And how long such reads
// wait, in ordinary memory and in reserved hugepages, for what is done to memory behind them.
#include "dataplane/flow/huge_map.h"
#include "perf/report.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <time.h>

namespace weir::perf {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kRecord = 3 * kLine;
constexpr std::size_t kBatch = 64;
constexpr std::size_t kPicks = 1U << 18;
constexpr int kWorkSteps = 100;  // dependent multiplications a record: what a packet costs, about

[[nodiscard]] double now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// A table's memory, all of it faulted in.
class Table {
  public:
    Table(std::size_t bytes, dataplane::TablePages pages) : bytes_(bytes) {
        auto memory = dataplane::HugeMap::create(bytes, pages, "--mib", "records", "ask for less");
        if (!memory) {
            std::fprintf(stderr, "bench memory: %s\n", memory.error().line().c_str());
            std::exit(1);
        }
        memory_ = std::move(*memory);
    }

    [[nodiscard]] const std::uint8_t* record(std::uint32_t index) const {
        return reinterpret_cast<const std::uint8_t*>(memory_.base()) + std::size_t{index} * kRecord;
    }
    [[nodiscard]] std::uint32_t records() const {
        return static_cast<std::uint32_t>(bytes_ / kRecord);
    }
    [[nodiscard]] bool reserved() const { return memory_.ordinary_bytes() == 0; }

  private:
    std::size_t bytes_;
    dataplane::HugeMap memory_;
};

void ask(const std::uint8_t* record) {
    for (std::size_t line = 0; line < kRecord; line += kLine) {
        __builtin_prefetch(record + line, 0, 2);
    }
}

std::uint64_t take(const std::uint8_t* record) {
    std::uint64_t sum = 0;
    for (std::size_t line = 0; line < kRecord; line += kLine) {
        sum += *static_cast<const volatile std::uint8_t*>(record + line);
    }
    return sum;
}

void work(std::uint64_t& state) {
    for (int step = 0; step < kWorkSteps; ++step) {
        state *= 0x9e3779b97f4a7c15U;
        __asm__ volatile("" : "+r"(state));  // one after the other
    }
}

// Nanoseconds a record.
double dense(const Table& table, const std::vector<std::uint32_t>& picks, std::uint64_t& sum) {
    const double start = now_ns();
    for (std::size_t at = 0; at < kPicks; at += kBatch) {
        for (std::size_t i = at; i < at + kBatch; ++i) {
            ask(table.record(picks[i]));
        }
        for (std::size_t i = at; i < at + kBatch; ++i) {
            sum += take(table.record(picks[i]));
        }
    }
    return (now_ns() - start) / kPicks;
}

double spread(const Table& table, const std::vector<std::uint32_t>& picks, std::uint64_t& sum) {
    const double start = now_ns();
    for (std::size_t at = 0; at + kBatch < kPicks; at += kBatch) {
        for (std::size_t i = at; i < at + kBatch; ++i) {
            ask(table.record(picks[i + kBatch]));
            sum += take(table.record(picks[i]));
            work(sum);
        }
    }
    return (now_ns() - start) / (kPicks - kBatch);
}

double work_alone(std::uint64_t& sum) {
    const double start = now_ns();
    for (std::size_t i = 0; i < kPicks; ++i) {
        work(sum);
    }
    return (now_ns() - start) / kPicks;
}

// Milliseconds a second spent in batches that took longer than any batch can of itself.
double waits(const Table& table, const std::vector<std::uint32_t>& picks, std::uint64_t& sum) {
    constexpr double kSeconds = 2;
    constexpr double kLongNs = 2e5;  // a timer's interrupt takes half of that here
    const double start = now_ns();
    double lost = 0;
    double before = start;
    for (std::size_t at = 0; before - start < kSeconds * 1e9; at = (at + kBatch) % kPicks) {
        for (std::size_t i = at; i < at + kBatch; ++i) {
            sum += take(table.record(picks[i]));
        }
        const double now = now_ns();
        lost += now - before > kLongNs ? now - before : 0;
        before = now;
    }
    return lost / kSeconds / 1e6;
}

[[nodiscard]] std::vector<std::uint32_t> random_picks(const Table& table) {
    std::mt19937_64 random(1);
    std::vector<std::uint32_t> picks(kPicks);
    for (std::uint32_t& pick : picks) {
        pick = static_cast<std::uint32_t>(random() % table.records());
    }
    return picks;
}

void measure_waits(std::size_t mib, int rounds, Report& report) {
    using dataplane::TablePages;
    const std::string area = "memory." + std::to_string(mib) + "mib.waits_";
    std::uint64_t sum = 1;
    for (const TablePages pages : {TablePages::resident, TablePages::reserved}) {
        const Table table(mib << 20, pages);
        const bool reserved = table.reserved();
        if (pages == TablePages::reserved && !reserved) {
            std::printf("  skipped: too few free hugepages\n");
            continue;
        }
        const auto picks = random_picks(table);
        std::vector<double> ms;
        for (int round = 0; round < rounds; ++round) {
            ms.push_back(waits(table, picks, sum));
        }
        report.add({area + (reserved ? "reserved" : "ordinary"), median(ms), "ms/s", {}, false});
    }
    __asm__ volatile("" : : "r"(sum));
}

void measure(std::size_t mib, int rounds, Report& report) {
    const Table table(mib << 20, dataplane::TablePages::reserved);
    const auto picks = random_picks(table);
    std::array<std::vector<double>, 3> ns;
    std::uint64_t sum = 1;
    for (int round = 0; round < rounds; ++round) {
        ns[0].push_back(dense(table, picks, sum));
        ns[1].push_back(spread(table, picks, sum));
        ns[2].push_back(work_alone(sum));
    }
    __asm__ volatile("" : : "r"(sum));
    const std::string area = "memory." + std::to_string(mib) + "mib.";
    report.add({area + "dense", median(ns[0]), "ns", {}, false});
    report.add({area + "spread", median(ns[1]) - median(ns[2]), "ns", {}, false});
}

int run(int argc, char** argv) {
    int rounds = 11;
    std::string json;
    std::vector<std::size_t> sizes{8, 64, 400, 800};
    CLI::App app{
        "What records in no cache cost, prefetched together or one by one between other work"};
    app.add_option("--rounds", rounds, "Runs over each table")->check(CLI::Range(1, 1000));
    app.add_option("--mib", sizes, "Sizes of the table")->check(CLI::Range(1, 65536));
    app.add_option("--json", json, "Write the results to this file");
    CLI11_PARSE(app, argc, argv);
    Report report;
    for (const std::size_t mib : sizes) {
        measure(mib, rounds, report);
    }
    constexpr int kWaitRounds = 3;
    measure_waits(sizes.back(), kWaitRounds, report);
    return report.finish(json);
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    return weir::perf::run(argc, argv);
}
