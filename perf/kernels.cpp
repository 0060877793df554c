// SPDX-License-Identifier: BSD-3-Clause
// The kernels' benchmark: for each family, size, variant and batch, ns and cycles a row, share of the core's peak, and
// the ratio to other libraries in the same run. Google Benchmark runs the cases; each of its iterations is one round in
// which all sides are timed in turn.
#include "perf/cpu_peak.h"
#include "perf/kernels_cases.h"

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <benchmark/benchmark.h>
#include <omp.h>

namespace weir::perf {
namespace {

struct Arguments {
    std::string json;
    std::string only = ".*";
    TimingOptions timing;
    int random_shapes = 12;
    int cpu = -1;
    bool lowering = false;
    bool predict = false;
};

constexpr const char* kHead =
    "Float peers take rows of floats and ours rows of u8 codes; encoding.32_features is what "
    "encoding adds, once a row\n"
    "for all models. oneDNN int8 takes codes as well, in the layout it likes. Peak: two 512-bit "
    "operations a cycle;\n"
    "dense: MACs / 64, forests: one a distinct threshold and one a node for 512 rows, and four a "
    "tree for 64 rows.\n"
    "ns a row: median and median absolute deviation over the rounds; ratios: the rounds' median, "
    "theirs over ours.\n";

void print_line(const Contest& contest, const Figures& figures) {
    std::printf(
        "%-38s %-11s %4u rows %9.2f +- %5.2f ns %10.1f cycles %5.1f %% of peak",
        contest.model.c_str(),
        kernels::isa_name(contest.isa).data(),
        contest.batch,
        figures.row_ns,
        figures.row_ns_mad,
        figures.cycles,
        100 * figures.share_of_peak);
    for (const PeerFigures& peer : figures.peers) {
        std::printf(" %8.2f x %s", peer.ratio, peer.name.c_str());
    }
    if (contest.predicted_cycles) {
        std::printf(
            "  undisturbed %.1f, predicted %.1f (%+.0f %%)",
            figures.undisturbed_cycles,
            *contest.predicted_cycles,
            100 * (*contest.predicted_cycles / figures.undisturbed_cycles - 1));
    }
    std::printf("\n");
    std::fflush(stdout);
}

// Our own lines stand instead of the library's.
class Silent final : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context& /*context*/) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            if (run.error_occurred) {
                std::fprintf(
                    stderr, "%s: %s\n", run.benchmark_name().c_str(), run.error_message.c_str());
                failed_ = true;
            }
        }
    }
    [[nodiscard]] bool failed() const { return failed_; }

  private:
    bool failed_ = false;
};

void run_entry(
    benchmark::State& state, const Entry& entry, const TimingOptions& timing, Report& report) {
    const Result<Contest> contest = entry.make();
    if (!contest) {
        state.SkipWithError(contest.error().line().c_str());
        return;
    }
    if (timing.roam) {
        (void)pin_to_freest();
    }
    const auto next_round = [&] { return state.KeepRunning(); };
    const auto row_seconds = [&](double seconds) { state.SetIterationTime(seconds); };
    const Figures figures = fight(*contest, timing, next_round, row_seconds);
    print_line(*contest, figures);
    add_rows(*contest, figures, report);
}

void pin(int cpu) {
    if (cpu < 0) {
        (void)pin_to_freest();
    } else if (!pin_to(cpu)) {
        std::fprintf(stderr, "cannot pin to CPU %d: timings will be noisier\n", cpu);
    }
}

int run(Arguments arguments) {
    omp_set_num_threads(1);
    pin(arguments.cpu);
    arguments.timing.roam = arguments.cpu < 0;
    if (arguments.lowering) {
        bench_lowerings(arguments.timing, arguments.random_shapes);
        return 0;
    }
    Report report;
    if (arguments.predict) {
        bench_predictions(arguments.timing, arguments.random_shapes, report);
        report.print();
        return 0;
    }
    std::vector<Entry> entries = dense_entries();
    for (Entry& entry : forest_entries()) {
        entries.push_back(std::move(entry));
    }
    for (const Entry& entry : entries) {
        benchmark::RegisterBenchmark(
            entry.name.c_str(),
            [&](benchmark::State& state) { run_entry(state, entry, arguments.timing, report); })
            ->UseManualTime()
            ->Iterations(arguments.timing.rounds);
    }
    std::printf("%s", kHead);
    Silent reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter, arguments.only);
    if (arguments.only == ".*") {
        bench_encoding(arguments.timing, report);
        bench_ragged_mix(arguments.timing, report);
        bench_predictions(arguments.timing, arguments.random_shapes, report);
    }
    report.print();
    if (!arguments.json.empty() && !report.write_json(arguments.json)) {
        std::fprintf(stderr, "cannot write %s\n", arguments.json.c_str());
        return 1;
    }
    return reporter.failed() ? 1 : 0;
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    weir::perf::Arguments arguments;
    CLI::App app(
        "Every family of models against other libraries: ns and cycles a row, share of peak, "
        "paired ratio");
    app.add_option("--json", arguments.json, "write the results to this file");
    app.add_option("--only", arguments.only, "cases whose model/isa/batch matches this expression");
    app.add_option("--rounds", arguments.timing.rounds, "paired rounds a figure")
        ->check(CLI::Range(1, 10000));
    app.add_option("--round-us", arguments.timing.round_us, "microseconds a round and side")
        ->check(CLI::Range(10, 1000000));
    app.add_option("--random", arguments.random_shapes, "random shapes a family to predict")
        ->check(CLI::Range(0, 1000));
    app.add_option(
        "--cpu",
        arguments.cpu,
        "CPU to pin to; default: each case on the one whose core is freest");
    app.add_flag("--predict", arguments.predict, "predicted and measured cycles only");
    app.add_flag("--lowering", arguments.lowering, "compare the ways to lower convolutions");
    CLI11_PARSE(app, argc, argv);
    try {
        return weir::perf::run(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "a library failed: %s\n", error.what());
        return 1;
    }
}
