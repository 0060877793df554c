// SPDX-License-Identifier: BSD-3-Clause
// How long a worker's bursts take, and what the kernel did to its thread meanwhile.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <sys/resource.h>

namespace weir {

/// Cycles of each burst, while there is room. Room is touched in advance, so that it counts for nothing in what memory
/// grows by. Thread: the worker's; read when it has ended.
class BurstLog {
  public:
    explicit BurstLog(std::size_t room) {
        bursts_.resize(room);
        bursts_.clear();
    }

    /// Before the first burst of the calling thread.
    void begin() {
        bursts_.clear();
        seen_ = count();
    }
    /// After each burst. `adopted`: it was the first with a new snapshot.
    void add(std::uint64_t cycles, bool adopted) {
        const Counts now = count();
        if (bursts_.size() < bursts_.capacity()) {
            bursts_.push_back(
                {static_cast<float>(cycles),
                 now.switches != seen_.switches,
                 now.faults != seen_.faults,
                 adopted});
        }
        seen_ = now;
    }

    /// A line each: all bursts, those during which the thread kept its CPU, and those that met a new model.
    void print(const char* name) const {
        print(name, "all", [](const Burst&) { return true; });
        print(name, "not switched away", [](const Burst& b) { return !b.switched; });
        print(name, "first of a model", [](const Burst& b) { return b.adopted && !b.switched; });
        print(name, "with page faults", [](const Burst& b) { return b.faulted && !b.switched; });
    }

  private:
    struct Burst {
        float cycles = 0;
        bool switched = false;  ///< the kernel ran another thread on the CPU
        bool faulted = false;
        bool adopted = false;
    };
    struct Counts {
        long switches = 0;
        long faults = 0;
    };

    static Counts count() {
        rusage usage{};
        (void)::getrusage(RUSAGE_THREAD, &usage);
        return {usage.ru_nivcsw + usage.ru_nvcsw, usage.ru_minflt + usage.ru_majflt};
    }
    template <typename Which>
    void print(const char* name, const char* which_name, Which which) const {
        std::vector<float> cycles;
        for (const Burst& burst : bursts_) {
            if (which(burst)) {
                cycles.push_back(burst.cycles);
            }
        }
        std::sort(cycles.begin(), cycles.end());
        const auto at = [&](double share) {
            return cycles.empty()
                       ? 0.0
                       : cycles[static_cast<std::size_t>(share * double(cycles.size() - 1))];
        };
        std::printf(
            "%-19s %-16s %7zu bursts: p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f cycles\n",
            name,
            which_name,
            cycles.size(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0));
    }

    std::vector<Burst> bursts_;
    Counts seen_;
};

}  // namespace weir
