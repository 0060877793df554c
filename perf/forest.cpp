// SPDX-License-Identifier: BSD-3-Clause
// The forest part of the kernels' benchmark as a program of its own.
#include "perf/kernels_forest.h"

#include <cstdio>

#include <CLI/CLI.hpp>
#include <sched.h>

int main(int argc, char** argv) {
    weir::perf::ForestBenchOptions options;
    std::string json;
    int cpu = sched_getcpu();
    CLI::App app("Forests against XGBoost: ns a row, cycles, paired ratio");
    app.add_option("--json", json, "write the results to this file");
    app.add_option("--rounds", options.rounds, "paired rounds a figure")
        ->check(CLI::Range(1, 10000));
    app.add_option("--round-us", options.round_us, "microseconds a round")
        ->check(CLI::Range(10, 1000000));
    app.add_option("--only", options.only, "ensembles whose name holds this text");
    app.add_option("--cpu", cpu, "CPU to pin to; default: the one it starts on");
    CLI11_PARSE(app, argc, argv);

    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        std::fprintf(stderr, "cannot pin to CPU %d: timings will be noisier\n", cpu);
    }
    const weir::perf::Peak peak = weir::perf::measure_peak();
    std::printf("clock %.2f GHz (measured)\n", peak.ghz);
    weir::perf::Report report;
    if (!weir::perf::bench_forest(peak, options, report)) {
        return 1;
    }
    report.print();
    if (!json.empty() && !report.write_json(json)) {
        std::fprintf(stderr, "cannot write %s\n", json.c_str());
        return 1;
    }
    return 0;
}
