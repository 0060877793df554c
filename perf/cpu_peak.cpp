// SPDX-License-Identifier: BSD-3-Clause
#include "perf/cpu_peak.h"

#include "kernels/isa.h"
#include "kernels/target_region.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>

#if defined(__x86_64__)
#include "kernels/x86_intrinsics.h"
#endif

namespace weir::perf {
namespace {

constexpr int kTurns = 2000;
constexpr int kRounds = 200;
constexpr int kAccumulators = 16;
constexpr double kMacsOfVector = 64;

template <typename Loop>
double fastest_ns(Loop loop) {
    double best = INFINITY;
    for (int round = 0; round < kRounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        loop();
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count());
    }
    return best;
}

void dependent_adds() {
    std::size_t sum = 0;
    for (int turn = 0; turn < kTurns; ++turn) {
        for (int i = 0; i < kAccumulators; ++i) {
            __asm__ volatile("" : "+r"(sum));
            sum += static_cast<std::size_t>(turn);
        }
    }
    __asm__ volatile("" : : "r"(sum));
}

}  // namespace

#if defined(__x86_64__)
WEIR_TARGET_REGION_BEGIN("avx512f,avx512vnni")
namespace {

// Sixteen chains hide the latency of any core so far.
void independent_dots() {
    __v16si sums[kAccumulators] = {};
    __m512i codes = _mm512_set1_epi8(1);
    WEIR_UNROLL for (int i = 0; i < kAccumulators; ++i) {
        __asm__ volatile("" : "+v"(sums[i]));  // else equal chains are computed once
    }
    for (int turn = 0; turn < kTurns; ++turn) {
        WEIR_UNROLL for (int i = 0; i < kAccumulators; ++i) {
            sums[i] = __v16si(_mm512_dpbusd_epi32(__m512i(sums[i]), codes, codes));
        }
        __asm__ volatile("" : "+v"(codes));
    }
    WEIR_UNROLL for (int i = 0; i < kAccumulators; ++i) {
        __asm__ volatile("" : : "v"(sums[i]));
    }
}

}  // namespace
WEIR_TARGET_REGION_END
#endif

Peak measure_peak() {
    Peak peak;
    const double steps = static_cast<double>(kTurns) * kAccumulators;
    peak.ghz = steps / fastest_ns(dependent_adds);
#if defined(__x86_64__)
    if (kernels::isa_supported(kernels::Isa::avx512_vnni)) {
        const double dots_per_cycle = steps / fastest_ns(independent_dots) / peak.ghz;
        peak.macs_per_cycle = kMacsOfVector * dots_per_cycle;
    }
#endif
    return peak;
}

double macs_per_ns_now() {
#if defined(__x86_64__)
    if (kernels::isa_supported(kernels::Isa::avx512_vnni)) {
        constexpr int kPasses = 16;
        const auto start = std::chrono::steady_clock::now();
        for (int pass = 0; pass < kPasses; ++pass) {
            independent_dots();
        }
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - start;
        return kMacsOfVector * kTurns * kAccumulators * kPasses / took.count();
    }
#endif
    return 0;
}

}  // namespace weir::perf
