// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/rates.h"

#include <algorithm>

namespace weir::ctl {

namespace v1 = control::v1;

namespace {

std::uint64_t gained(std::uint64_t before, std::uint64_t now) {
    return now > before ? now - before : 0;
}

double ratio(std::uint64_t a, std::uint64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

std::uint64_t rows_before(const v1::Status& before, int slot, const std::string& cls) {
    if (slot >= before.slots_size()) {
        return 0;
    }
    for (const auto& count : before.slots(slot).verdicts()) {
        if (count.class_name() == cls) {
            return count.rows();
        }
    }
    return 0;
}

/// Packets of each bucket that came between the two.
std::vector<v1::LatencyBucket> gained(const v1::Latency& before, const v1::Latency& now) {
    std::vector<v1::LatencyBucket> out;
    int b = 0;
    for (const auto& bucket : now.buckets()) {
        while (b < before.buckets_size() && before.buckets(b).up_to_us() < bucket.up_to_us()) {
            ++b;
        }
        const bool same =
            b < before.buckets_size() && before.buckets(b).up_to_us() == bucket.up_to_us();
        const auto packets = gained(same ? before.buckets(b).packets() : 0, bucket.packets());
        if (packets != 0) {
            out.push_back(bucket);
            out.back().set_packets(packets);
        }
    }
    return out;
}

AddedLatency latency_between(const v1::Latency& before, const v1::Latency& now) {
    const auto buckets = gained(before, now);
    std::uint64_t total = 0;
    for (const auto& bucket : buckets) {
        total += bucket.packets();
    }
    const auto quantile = [&](double share) {
        std::uint64_t seen = 0;
        for (const auto& bucket : buckets) {
            seen += bucket.packets();
            if (static_cast<double>(seen) >= share * static_cast<double>(total)) {
                // The last bucket's end may lie beyond the longest that there was.
                return std::min(bucket.up_to_us(), now.max_us());
            }
        }
        return 0.0;
    };
    return {quantile(0.5), quantile(0.99), quantile(0.999), quantile(1.0)};
}

WorkerRates worker_rates(const v1::Worker& before, const v1::Worker& now, double seconds) {
    const auto packets = gained(before.rx_packets(), now.rx_packets());
    const auto bursts = gained(before.bursts(), now.bursts());
    WorkerRates rates;
    rates.name = std::to_string(now.index()) + " (cpu " + std::to_string(now.lcore()) + ")";
    rates.rx_pps = static_cast<double>(packets) / seconds;
    rates.cycles_per_packet = ratio(gained(before.burst_cycles(), now.burst_cycles()), packets);
    rates.packets_per_burst = ratio(packets, bursts);
    rates.busy = std::clamp((now.busy_seconds() - before.busy_seconds()) / seconds, 0.0, 1.0);
    rates.flows = now.flows();
    rates.created_per_s =
        static_cast<double>(gained(before.flows_created(), now.flows_created())) / seconds;
    rates.overload_step = now.overload_step();
    rates.unscored_pps =
        static_cast<double>(gained(before.unscored_packets(), now.unscored_packets())) / seconds;
    rates.added = latency_between(before.added_latency(), now.added_latency());
    return rates;
}

}  // namespace

Rates rates_between(const v1::Status& before, const v1::Status& now) {
    Rates out;
    out.seconds = now.monotonic_seconds() - before.monotonic_seconds();
    const double seconds = out.seconds > 0.0 ? out.seconds : 1.0;
    const auto rate = [seconds](std::uint64_t a, std::uint64_t b) {
        return static_cast<double>(gained(a, b)) / seconds;
    };
    out.rx_pps = rate(before.rx_packets(), now.rx_packets());
    out.rx_bps = 8.0 * rate(before.rx_bytes(), now.rx_bytes());
    out.tx_pps = rate(before.tx_packets(), now.tx_packets());
    out.tx_bps = 8.0 * rate(before.tx_bytes(), now.tx_bytes());
    out.dropped_pps = rate(before.dropped_packets(), now.dropped_packets());
    out.marked_pps = rate(before.marked_packets(), now.marked_packets());
    for (int w = 0; w < now.workers_size(); ++w) {
        const auto& earlier =
            w < before.workers_size() ? before.workers(w) : v1::Worker::default_instance();
        out.workers.push_back(worker_rates(earlier, now.workers(w), seconds));
    }
    for (int s = 0; s < now.slots_size(); ++s) {
        const auto& slot = now.slots(s);
        const std::string model =
            slot.has_active() ? slot.active().name() + "@" + std::to_string(slot.active().version())
                              : "none";
        for (const auto& count : slot.verdicts()) {
            const auto rows = rows_before(before, s, count.class_name());
            out.classes.push_back(
                {slot.name(), model, count.class_name(), rate(rows, count.rows()), count.rows()});
        }
    }
    for (int d = 0; d < now.drops_size(); ++d) {
        const auto& drop = now.drops(d);
        const auto earlier = d < before.drops_size() ? before.drops(d).packets() : 0;
        if (drop.packets() > 0) {
            out.drops.push_back({drop.reason(), rate(earlier, drop.packets()), drop.packets()});
        }
    }
    return out;
}

nlohmann::ordered_json rates_json(const v1::Status& before, const v1::Status& now) {
    using Json = nlohmann::ordered_json;
    const Rates rates = rates_between(before, now);
    Json out{
        {"seconds", rates.seconds},
        {"rx_pps", rates.rx_pps},
        {"rx_bps", rates.rx_bps},
        {"tx_pps", rates.tx_pps},
        {"tx_bps", rates.tx_bps},
        {"dropped_pps", rates.dropped_pps},
        {"marked_pps", rates.marked_pps},
        {"generation", now.generation()},
        {"workers", Json::array()},
        {"classes", Json::array()},
        {"drops", Json::array()},
    };
    for (const auto& worker : rates.workers) {
        out["workers"].push_back(
            {{"worker", worker.name},
             {"rx_pps", worker.rx_pps},
             {"cycles_per_packet", worker.cycles_per_packet},
             {"packets_per_burst", worker.packets_per_burst},
             {"busy", worker.busy},
             {"flows", worker.flows},
             {"created_per_s", worker.created_per_s},
             {"overload_step", worker.overload_step},
             {"unscored_pps", worker.unscored_pps},
             {"added_latency_us",
              {{"p50", worker.added.p50_us},
               {"p99", worker.added.p99_us},
               {"p999", worker.added.p999_us},
               {"max", worker.added.max_us}}}});
    }
    for (const auto& cls : rates.classes) {
        out["classes"].push_back(
            {{"slot", cls.slot},
             {"model", cls.model},
             {"class", cls.name},
             {"rows_per_s", cls.rows_per_s},
             {"rows", cls.rows}});
    }
    for (const auto& drop : rates.drops) {
        out["drops"].push_back(
            {{"reason", drop.reason}, {"pps", drop.pps}, {"packets", drop.packets}});
    }
    return out;
}

}  // namespace weir::ctl
