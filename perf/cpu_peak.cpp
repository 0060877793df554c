// SPDX-License-Identifier: BSD-3-Clause
#include "perf/cpu_peak.h"

#include "kernels/isa.h"
#include "kernels/target_region.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>

#include <sched.h>

#if defined(__x86_64__)
#include "kernels/x86_intrinsics.h"
#endif

namespace weir::perf {
namespace {

constexpr int kAdditionTurns = 2000;
constexpr int kAdditions = 32;
constexpr int kDotTurns = 16000;
constexpr int kAccumulators = 16;
constexpr int kSums = 8;  // more than a core adds in a cycle
constexpr int kProbes = 8;

// One a cycle.
void dependent_additions() {
    std::size_t sum = 0;
#pragma GCC unroll 1
    for (int turn = 0; turn < kAdditionTurns; ++turn) {
#pragma GCC unroll 32
        for (int i = 0; i < kAdditions; ++i) {
            __asm__ volatile("" : "+r"(sum));
            sum += static_cast<std::size_t>(turn);
        }
    }
    __asm__ volatile("" : : "r"(sum));
}

void independent_additions() {
    std::size_t sums[kSums] = {};
#pragma GCC unroll 1
    for (int turn = 0; turn < kAdditionTurns; ++turn) {
#pragma GCC unroll 32
        for (int i = 0; i < kAdditions; ++i) {
            std::size_t& sum = sums[i % kSums];
            __asm__ volatile("add $1, %0" : "+r"(sum) : : "cc");
        }
    }
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
    for (int turn = 0; turn < kDotTurns; ++turn) {
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

double thread_seconds() {
    constexpr double kNano = 1e-9;
    timespec time{};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * kNano;
}

namespace {

double seconds_of_cycle() {
    // The shorter of two: an interrupt may hit one.
    double least = 0;
    for (int i = 0; i < 2; ++i) {
        const double start = thread_seconds();
        dependent_additions();
        const double took = thread_seconds() - start;
        least = i == 0 ? took : std::min(least, took);
    }
    return least / (kAdditionTurns * kAdditions);
}

double dots_per_second() {
#if defined(__x86_64__)
    if (kernels::isa_supported(kernels::Isa::avx512_vnni)) {
        const double start = thread_seconds();
        independent_dots();
        return kDotTurns * kAccumulators / (thread_seconds() - start);
    }
#endif
    return 0;
}

double additions_per_second() {
    const double start = thread_seconds();
    independent_additions();
    return kAdditionTurns * kAdditions / (thread_seconds() - start);
}

}  // namespace

CoreProbe probe_core() {
    const double cycle = seconds_of_cycle();
    const double dots = dots_per_second();
    return {cycle, dots, additions_per_second() * cycle * (dots > 0 ? dots * cycle : 1)};
}

bool pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

int pin_to_freest() {
    static const cpu_set_t allowed = [] {  // before the first call pins
        cpu_set_t set;
        CPU_ZERO(&set);
        (void)sched_getaffinity(0, sizeof set, &set);
        return set;
    }();
    int freest = sched_getcpu();
    double most = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(static_cast<std::size_t>(cpu), &allowed) || !pin_to(cpu)) {
            continue;
        }
        std::array<double, kProbes> shares{};
        std::generate(shares.begin(), shares.end(), [] { return probe_core().share; });
        std::nth_element(shares.begin(), shares.begin() + kProbes / 2, shares.end());
        if (shares[kProbes / 2] > most) {
            most = shares[kProbes / 2];
            freest = cpu;
        }
    }
    (void)pin_to(freest);
    return freest;
}

}  // namespace weir::perf
