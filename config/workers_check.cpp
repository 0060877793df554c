// SPDX-License-Identifier: BSD-3-Clause
// What no key under `workers` can check alone.
#include "config/sections.h"

#include <map>

namespace weir::config {

namespace {

// Where the file has the key itself; nothing of one that is left to its default.
std::string on_line(const Context& context, const std::string& path) {
    const auto at = context.lines.find(path);
    return at == context.lines.end() ? std::string() : " (line " + std::to_string(at->second) + ")";
}

void check_lcores(Context& context, const Config& config) {
    const auto& lcores = config.workers.lcores;
    if (lcores.empty()) {
        context.add("workers.lcores", "no worker", "name at least one CPU, such as [1]");
    }
    std::map<std::uint32_t, std::size_t> seen;
    for (std::size_t i = 0; i < lcores.size(); ++i) {
        const std::string path = index_path("workers.lcores", i);
        if (!seen.emplace(lcores[i], i).second) {
            context.add(
                path,
                "lcore " + std::to_string(lcores[i]) + " is listed twice",
                "name each CPU once");
        } else if (lcores[i] == config.eal.main_lcore) {
            context.add(
                path,
                "lcore " + std::to_string(lcores[i]) + " is eal.main_lcore" +
                    on_line(context, "eal.main_lcore"),
                "give the worker another CPU, or move eal.main_lcore");
        }
    }
}

// With `auto`, whether there is a distributor is known when the ports are open.
void check_distributor(Context& context, const Config& config) {
    const Workers& workers = config.workers;
    if (workers.lcores.size() < 2 || workers.distribute != Distribute::software) {
        return;
    }
    for (std::size_t i = 0; i < workers.lcores.size(); ++i) {
        if (workers.lcores[i] == workers.distributor_lcore) {
            context.add(
                "workers.distributor_lcore",
                "lcore " + std::to_string(workers.distributor_lcore) + " is workers.lcores[" +
                    std::to_string(i) + "]" + on_line(context, index_path("workers.lcores", i)),
                "give the distributor another CPU; eal.main_lcore will do");
        }
    }
}

void check_overload(Context& context, const Config& config) {
    const Overload& overload = config.workers.overload;
    if (overload.queue_low_percent >= overload.queue_high_percent) {
        context.add(
            "workers.overload.queue_low_percent",
            std::to_string(overload.queue_low_percent) + " is not less than queue_high_percent, " +
                std::to_string(overload.queue_high_percent) +
                on_line(context, "workers.overload.queue_high_percent"),
            "leave a gap between them, such as 10 and 50");
    }
    if (overload.down_ms < overload.up_ms) {
        context.add(
            "workers.overload.down_ms",
            std::to_string(overload.down_ms) + " is less than up_ms, " +
                std::to_string(overload.up_ms) + on_line(context, "workers.overload.up_ms"),
            "coming back is slower than shedding: raise down_ms");
    }
}

void check_idle(Context& context, const Config& config) {
    const Idle& idle = config.workers.idle;
    if (idle.longest_us < idle.first_us) {
        context.add(
            "workers.idle.longest_us",
            std::to_string(idle.longest_us) + " is less than first_us, " +
                std::to_string(idle.first_us) + on_line(context, "workers.idle.first_us"),
            "sleeps grow: raise longest_us or lower first_us");
    }
}

}  // namespace

void check_workers(Context& context, const Config& config) {
    check_lcores(context, config);
    check_distributor(context, config);
    check_overload(context, config);
    check_idle(context, config);
}

}  // namespace weir::config
