// SPDX-License-Identifier: BSD-3-Clause
// Networks: ns and cycles a row for every variant, and the ratio to oneDNN int8 in the same run.
//
// Ours, theirs and the bare peak are timed in turn, a round each, so that a change of clock or a neighbour hits all; a
// ratio is the median of the rounds' ratios. Answers are compared before anything is timed. Time is the thread's own.
#include "kernels/mlp/variants.h"
#include "perf/cpu_peak.h"
#include "perf/onednn_mlp.h"
#include "perf/report.h"
#include "tests/kernels/mlp_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <omp.h>
#include <sched.h>

namespace weir::perf {
namespace {

using kernels::Classifier;
using kernels::Isa;
using kernels::MlpSpec;

constexpr std::uint32_t kBatches[] = {1, 32, 64, 256, 512};
constexpr double kMicro = 1e-6;

struct Network {
    const char* name;
    std::vector<std::uint32_t> widths;
    std::map<std::uint32_t, double> ratio_goals;  // by batch
    std::optional<double> peak_goal;
};

// clang-format off
const Network kNetworks[] = {
    {"mlp_32_32_16_8",  {32, 32, 16, 8},  {{32, 5.0}, {64, 3.0}, {256, 2.0}}, 0.60},
    {"mlp_32_64_32_8",  {32, 64, 32, 8},  {{32, 3.0}, {64, 2.0}, {256, 1.5}}, 0.75},
    {"mlp_64_128_64_8", {64, 128, 64, 8}, {{32, 1.7}, {64, 1.4}, {256, 1.1}}, 0.75},
    {"mlp_32_16_8_16_32", {32, 16, 8, 16, 32}, {{32, 7.0}, {64, 6.0}, {256, 3.0}}, std::nullopt},
    {"mlp_linear_64_12", {64, 12}, {}, std::nullopt},
};
// clang-format on

struct Arguments {
    std::string json;
    int rounds = 41;
    double round_us = 1000;
    int cpu = -1;
};

double now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Seconds a call, over about `round_us`.
double time_calls(const std::function<void()>& call, int calls) {
    const double start = now();
    for (int i = 0; i < calls; ++i) {
        call();
    }
    return (now() - start) / calls;
}

int calls_for(const std::function<void()>& call, double round_us) {
    time_calls(call, 3);
    const double once = std::max(time_calls(call, 20), 1e-9);
    return std::max(1, static_cast<int>(round_us * kMicro / once));
}

double deviation(const std::vector<double>& values) {
    const double middle = median(values);
    std::vector<double> off;
    for (const double value : values) {
        off.push_back(std::abs(value - middle));
    }
    return median(off);
}

double macs(const MlpSpec& spec) {
    double sum = 0;
    for (const kernels::MlpLayer& layer : spec.layers) {
        sum += static_cast<double>(layer.in) * layer.out;
    }
    return sum;
}

struct alignas(64) Line {
    std::byte bytes[64];
};

/// Our side alone: random rows, and room for the answers.
class Solo {
  public:
    Solo(const Classifier& ours, std::uint32_t rows)
        : ours_(ours),
          rows_(rows),
          codes_(std::size_t{rows} * ours.inputs()),
          out_(std::size_t{rows} * ours.outputs()),
          scratch_(ours.scratch_bytes() / sizeof(Line) + 1) {
        std::mt19937 random(7);
        std::generate(codes_.begin(), codes_.end(), [&] {
            return testing::make_code(testing::Values::trained, random);
        });
    }

    void run() noexcept {
        ours_.score(
            codes_.data(),
            ours_.inputs(),
            rows_,
            out_.data(),
            reinterpret_cast<std::byte*>(scratch_.data()));
    }
    [[nodiscard]] const std::vector<std::uint8_t>& codes() const noexcept { return codes_; }
    [[nodiscard]] const std::vector<std::int32_t>& out() const noexcept { return out_; }

  private:
    const Classifier& ours_;
    std::uint32_t rows_;
    std::vector<std::uint8_t> codes_;
    std::vector<std::int32_t> out_;
    std::vector<Line> scratch_;
};

/// One network at one batch size: both sides, checked against each other.
class Duel {
  public:
    Duel(const MlpSpec& spec, const Classifier& ours, std::uint32_t rows)
        : solo_(ours, rows), theirs_(spec, rows) {
        std::copy(solo_.codes().begin(), solo_.codes().end(), theirs_.input());
    }

    void run_ours() noexcept { solo_.run(); }
    void run_theirs() { theirs_.run(); }

    // Theirs rounds where ours shifts: a unit a code, so a small share of the outputs' spread.
    [[nodiscard]] bool agree() {
        run_ours();
        run_theirs();
        double spread = 1;
        double worst = 0;
        for (std::size_t i = 0; i < solo_.out().size(); ++i) {
            const double ours = solo_.out()[i];
            spread = std::max(spread, std::abs(ours));
            worst = std::max(worst, std::abs(ours - static_cast<double>(theirs_.output()[i])));
        }
        if (worst > 0.05 * spread + 2) {
            std::fprintf(
                stderr, "answers differ by %.1f where the largest is %.1f\n", worst, spread);
            return false;
        }
        return true;
    }

  private:
    Solo solo_;
    OnednnMlp theirs_;
};

struct Timing {
    std::vector<double> ours_ns;      // a row
    std::vector<double> ratios;       // theirs / ours
    std::vector<double> peak_per_ns;  // multiply-adds, beside each
};

Timing fight(Duel& duel, std::uint32_t rows, const Arguments& arguments) {
    const auto ours = [&] { duel.run_ours(); };
    const auto theirs = [&] { duel.run_theirs(); };
    const int our_calls = calls_for(ours, arguments.round_us);
    const int their_calls = calls_for(theirs, arguments.round_us);
    Timing timing;
    for (int round = 0; round < arguments.rounds; ++round) {
        const double a = time_calls(ours, our_calls);
        timing.peak_per_ns.push_back(macs_per_ns_now());
        const double b = time_calls(theirs, their_calls);
        timing.ours_ns.push_back(a * 1e9 / rows);
        timing.ratios.push_back(b / a);
    }
    return timing;
}

double share_of_peak(const Timing& timing, double row_macs) {
    std::vector<double> shares;
    for (std::size_t i = 0; i < timing.ours_ns.size(); ++i) {
        shares.push_back(row_macs / timing.ours_ns[i] / timing.peak_per_ns[i]);
    }
    return median(shares);
}

// What a round takes that had the core to itself.
double fastest(const std::vector<double>& values) {
    return *std::min_element(values.begin(), values.end());
}

double print_prediction(const std::string& name, const MlpSpec& spec, Isa isa, double cycles) {
    const double predicted = kernels::predicted_cycles_per_row(spec, isa);
    const double error = predicted / cycles - 1;
    std::printf(
        "%-28s %-12s 64 rows: predicted %9.1f cycles, measured %9.1f: %+5.1f %%\n",
        name.c_str(),
        kernels::isa_name(isa).data(),
        predicted,
        cycles,
        100 * error);
    return std::abs(error);
}

bool bench_network(
    const Network& network, Isa isa, const Peak& peak, const Arguments& arguments, Report& report) {
    std::mt19937 random(1);
    const MlpSpec spec = testing::make_spec(network.widths, testing::Values::trained, random);
    const auto ours = kernels::make_classifier(spec, isa);
    const bool best = isa == kernels::make_classifier(spec).value()->isa();
    const std::string isa_text(kernels::isa_name(isa));
    for (const std::uint32_t rows : kBatches) {
        Duel duel(spec, **ours, rows);
        if (!duel.agree()) {
            return false;
        }
        const Timing timing = fight(duel, rows, arguments);
        const double ns = median(timing.ours_ns);
        const double cycles = ns * peak.ghz;
        const double share = share_of_peak(timing, macs(spec));
        std::printf(
            "%-16s %-12s %4u rows %8.2f ± %5.2f ns %8.1f cycles %5.1f %% of peak %6.2f x oneDNN\n",
            network.name,
            isa_text.c_str(),
            rows,
            ns,
            deviation(timing.ours_ns),
            cycles,
            100 * share,
            median(timing.ratios));
        const std::string name =
            std::string("kernels.") + network.name + ".b" + std::to_string(rows);
        if (rows == 64) {
            const double undisturbed = fastest(timing.ours_ns) * peak.ghz;
            const double error = print_prediction(network.name, spec, isa, undisturbed);
            report.add({name + "." + isa_text + "_predicted_error", error, "x", 0.25, false});
        }
        if (!best) {
            report.add({name + "." + isa_text + "_ns", ns, "ns", std::nullopt, false});
            continue;
        }
        const auto goal = network.ratio_goals.find(rows);
        const bool has_goal = goal != network.ratio_goals.end();
        report.add({name + ".row_ns", ns, "ns", std::nullopt, false});
        report.add(
            {name + ".vs_onednn_int8",
             median(timing.ratios),
             "x",
             has_goal ? std::optional(goal->second) : std::nullopt,
             true});
        report.add(
            {name + ".share_of_peak",
             share,
             "x",
             rows == 256 ? network.peak_goal : std::nullopt,
             true});
    }
    return true;
}

// Shapes that no one tuned for.
void bench_predictions(Isa isa, const Peak& peak, const Arguments& arguments, Report& report) {
    constexpr std::uint32_t kRows = 64;
    constexpr int kShapes = 12;
    std::mt19937 random(20260102);
    const auto draw = [&](std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random);
    };
    double worst = 0;
    for (int shape = 0; shape < kShapes; ++shape) {
        const std::uint32_t widest = shape % 4 == 0 ? kernels::kMlpMaxWidth : 80;
        std::vector<std::uint32_t> widths{draw(1, widest)};
        for (std::uint32_t hidden = draw(0, 4); hidden > 0; --hidden) {
            widths.push_back(draw(1, widest));
        }
        widths.push_back(draw(1, kernels::kMaxOutputs));
        const MlpSpec spec = testing::make_spec(widths, testing::Values::trained, random);
        const auto ours = kernels::make_classifier(spec, isa);
        Solo solo(**ours, kRows);
        const auto call = [&] { solo.run(); };
        const int calls = calls_for(call, arguments.round_us);
        std::vector<double> row_ns;
        for (int round = 0; round < arguments.rounds; ++round) {
            row_ns.push_back(time_calls(call, calls) * 1e9 / kRows);
        }
        std::string name;
        for (const std::uint32_t width : widths) {
            name += (name.empty() ? "" : "-") + std::to_string(width);
        }
        worst = std::max(worst, print_prediction(name, spec, isa, fastest(row_ns) * peak.ghz));
    }
    report.add(
        {"kernels.mlp_random_shapes." + std::string(kernels::isa_name(isa)) + "_predicted_error",
         worst,
         "x",
         0.25,
         false});
}

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        std::fprintf(stderr, "cannot pin to CPU %d: timings will be noisier\n", cpu);
    }
}

int run(const Arguments& arguments) {
    omp_set_num_threads(1);
    pin(arguments.cpu >= 0 ? arguments.cpu : sched_getcpu());
    const Peak peak = measure_peak();
    std::printf(
        "clock %.2f GHz, int8 peak %.0f MAC a cycle (measured)\n", peak.ghz, peak.macs_per_cycle);
    Report report;
    for (const Network& network : kNetworks) {
        for (const Isa isa : kernels::mlp_isas()) {
            if (!kernels::isa_supported(isa)) {
                std::printf("%s: skipped, this CPU lacks it\n", kernels::isa_name(isa).data());
            } else if (!bench_network(network, isa, peak, arguments, report)) {
                return 1;
            }
        }
    }
    for (const Isa isa : kernels::mlp_isas()) {
        if (kernels::isa_supported(isa)) {
            bench_predictions(isa, peak, arguments, report);
        }
    }
    report.print();
    if (!arguments.json.empty() && !report.write_json(arguments.json)) {
        std::fprintf(stderr, "cannot write %s\n", arguments.json.c_str());
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace weir::perf

int main(int argc, char** argv) {
    weir::perf::Arguments arguments;
    CLI::App app("Networks against oneDNN int8: ns a row, cycles, share of peak, paired ratio");
    app.add_option("--json", arguments.json, "write the results to this file");
    app.add_option("--rounds", arguments.rounds, "paired rounds a figure")
        ->check(CLI::Range(1, 10000));
    app.add_option("--round-us", arguments.round_us, "microseconds a round")
        ->check(CLI::Range(10, 1000000));
    app.add_option("--cpu", arguments.cpu, "CPU to pin to; default: the one it starts on");
    CLI11_PARSE(app, argc, argv);
    return weir::perf::run(arguments);
}
