// SPDX-License-Identifier: BSD-3-Clause
// Linear, autoencoder and sequence networks: cycles a row at batch 64 for every variant, predicted and measured, and
// what each way to lower a convolution takes.
//
// Cycles are counted by a chain of dependent additions, one a cycle, timed beside every round: a change of clock or a
// neighbour hits both. A figure is the rounds' lower quartile, what a row takes while nobody else has the core.
#include "kernels/classifier.h"
#include "kernels/sequence/variants.h"
#include "perf/report.h"
#include "tests/kernels/family_cases.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <sched.h>

namespace weir::perf {
namespace {

using kernels::Classifier;
using kernels::Isa;
using kernels::Lowering;
using kernels::Network;
using kernels::SequencePooling;
using testing::make_autoencoder;
using testing::make_linear;
using testing::make_sequence;
using testing::SequenceCase;
using testing::Values;

constexpr std::uint32_t kRows = 64;
constexpr double kErrorGoal = 0.25;

struct Arguments {
    std::string json;
    int rounds = 101;
    double round_us = 50;
    int random_shapes = 12;
    int cpu = -1;
    bool lowering = false;
};

double now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

constexpr int kTurns = 4000;  // so that reading the clock does not count
constexpr int kAdditions = 32;

// kTurns × kAdditions cycles.
void dependent_additions() {
    std::size_t sum = 0;
#pragma GCC unroll 1
    for (int turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 32
        for (int i = 0; i < kAdditions; ++i) {
            __asm__ volatile("" : "+r"(sum));
            sum += static_cast<std::size_t>(turn);
        }
    }
    __asm__ volatile("" : : "r"(sum));
}

double cycles_a_row(const Classifier& classifier, const Arguments& arguments) {
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    std::mt19937 random(7);
    std::vector<std::uint8_t> codes(std::size_t{kRows} * classifier.inputs());
    std::generate(
        codes.begin(), codes.end(), [&] { return static_cast<std::uint8_t>(random() % 256); });
    std::vector<std::int32_t> out(std::size_t{kRows} * classifier.outputs());
    std::vector<Line> scratch(classifier.scratch_bytes() / sizeof(Line) + 1);
    const auto time_calls = [&](int calls) {
        const double start = now();
        for (int i = 0; i < calls; ++i) {
            classifier.score(
                codes.data(),
                classifier.inputs(),
                kRows,
                out.data(),
                reinterpret_cast<std::byte*>(scratch.data()));
        }
        return (now() - start) / calls;
    };
    time_calls(3);
    const int calls =
        std::max(1, static_cast<int>(arguments.round_us * 1e-6 / std::max(time_calls(5), 1e-9)));
    std::vector<double> cycles;
    for (int round = 0; round < arguments.rounds; ++round) {
        const double call = time_calls(calls);
        const double start = now();
        dependent_additions();
        const double cycle = (now() - start) / (kTurns * kAdditions);
        cycles.push_back(call / cycle / kRows);
    }
    std::sort(cycles.begin(), cycles.end());
    return cycles[cycles.size() / 2];
}

struct Case {
    std::string family;
    std::string name;
    Network network;
};

std::string joined(const std::vector<std::uint32_t>& widths) {
    std::string text;
    for (const std::uint32_t width : widths) {
        text += (text.empty() ? "" : "_") + std::to_string(width);
    }
    return text;
}

std::string describe(const SequenceCase& shape) {
    constexpr const char* kPoolings[] = {"flat", "max", "mean"};
    std::string text = std::to_string(shape.steps);
    for (const testing::Conv& conv : shape.convolutions) {
        text += "_c" + std::to_string(conv.out) + "k" + std::to_string(conv.kernel);
        text += conv.stride == 1 ? "" : "s" + std::to_string(conv.stride);
        text += conv.pool == 1 ? "" : "p" + std::to_string(conv.pool);
    }
    return text + "_" + kPoolings[static_cast<std::size_t>(shape.pooling)] + "_" +
           joined(shape.dense);
}

// Shapes as one would deploy them, and random ones that no one tuned for.
std::vector<Case> cases(const Arguments& arguments) {
    std::mt19937 random(20260103);
    const auto draw = [&](std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random);
    };
    std::vector<Case> out;
    const auto linear = [&](std::uint32_t in, std::uint32_t classes) {
        out.push_back(
            {"linear", joined({in, classes}), make_linear(in, classes, Values::trained, random)});
    };
    const auto autoencoder = [&](const std::vector<std::uint32_t>& widths) {
        out.push_back(
            {"autoencoder", joined(widths), make_autoencoder(widths, Values::trained, random)});
    };
    const auto sequence = [&](const SequenceCase& shape) {
        out.push_back({"sequence", describe(shape), make_sequence(shape, Values::trained, random)});
    };
    linear(32, 1);
    linear(64, 12);
    autoencoder({32, 16, 8, 16});
    autoencoder({64, 32, 16, 32});
    sequence({16, {{16, 3, 1, 1, 2}}, SequencePooling::flatten, {12}});
    sequence({16, {{16, 5, 1, 2, 2}, {32, 3, 1, 1, 2}}, SequencePooling::max, {32, 8}});
    sequence({8, {{8, 3, 1, 1, 1}, {16, 3, 2, 1, 1}}, SequencePooling::average, {8}});
    for (int i = 0; i < arguments.random_shapes; ++i) {
        linear(draw(1, 256), draw(1, kernels::kMaxOutputs));
        std::vector<std::uint32_t> widths{draw(4, i % 4 == 0 ? 256 : 80)};
        for (std::uint32_t layers = draw(0, 3); layers > 0; --layers) {
            widths.push_back(draw(2, widths.front()));
        }
        autoencoder(widths);
        sequence(testing::random_sequence_case(random));
    }
    return out;
}

void bench_lowerings(const Case& network, Isa isa, const Arguments& arguments) {
    const auto& spec = std::get<kernels::SequenceSpec>(network.network);
    const auto cycles = [&](Lowering lowering) {
        return cycles_a_row(*kernels::make_sequence_classifier(spec, isa, lowering), arguments);
    };
    const double direct = cycles(Lowering::direct);
    const double expanded = cycles(Lowering::expanded);
    std::printf(
        "%-44s %-12s direct %8.1f expanded %8.1f chosen %8.1f cycles\n",
        network.name.c_str(),
        kernels::isa_name(isa).data(),
        direct,
        expanded,
        cycles(Lowering::cheaper));
}

void bench(
    const Case& network,
    const Arguments& arguments,
    std::map<std::string, double>& worst,
    Report& report) {
    for (const Isa isa : kernels::supported_isas()) {
        const auto classifier = kernels::make_classifier(network.network, isa);
        if (!classifier) {
            continue;  // no such variant
        }
        if (arguments.lowering) {
            if (network.family == "sequence" && isa != Isa::scalar) {
                bench_lowerings(network, isa, arguments);
            }
            continue;
        }
        const double measured = cycles_a_row(**classifier, arguments);
        const double predicted = kernels::predicted_cycles_per_row(network.network, isa);
        const double error = predicted / measured - 1;
        const std::string isa_text(kernels::isa_name(isa));
        std::printf(
            "%-12s %-44s %-12s predicted %9.1f measured %9.1f cycles %+6.1f %%\n",
            network.family.c_str(),
            network.name.c_str(),
            isa_text.c_str(),
            predicted,
            measured,
            100 * error);
        double& most = worst[network.family + "." + isa_text];
        most = std::max(most, std::abs(error));
        report.add(
            {"kernels." + network.family + "_" + network.name + "." + isa_text + "_cycles",
             measured,
             "cycles",
             std::nullopt,
             false});
    }
}

int run(const Arguments& arguments) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(arguments.cpu >= 0 ? arguments.cpu : sched_getcpu()), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        std::fprintf(stderr, "cannot pin to CPU %d: timings will be noisier\n", arguments.cpu);
    }
    std::map<std::string, double> worst;
    Report report;
    for (const Case& network : cases(arguments)) {
        bench(network, arguments, worst, report);
    }
    for (const auto& [variant, error] : worst) {
        report.add({"kernels." + variant + ".predicted_error", error, "x", kErrorGoal, false});
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
    CLI::App app("Linear, autoencoder and sequence networks: cycles a row, predicted and measured");
    app.add_option("--json", arguments.json, "write the results to this file");
    app.add_option("--rounds", arguments.rounds, "rounds a figure")->check(CLI::Range(4, 10000));
    app.add_option("--round-us", arguments.round_us, "microseconds a round")
        ->check(CLI::Range(10, 1000000));
    app.add_option("--random", arguments.random_shapes, "random shapes a family")
        ->check(CLI::Range(0, 1000));
    app.add_option("--cpu", arguments.cpu, "CPU to pin to; default: the one it starts on");
    app.add_flag("--lowering", arguments.lowering, "compare the ways to lower convolutions");
    CLI11_PARSE(app, argc, argv);
    return weir::perf::run(arguments);
}
