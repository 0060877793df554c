// SPDX-License-Identifier: BSD-3-Clause
#include "control/guard/guard.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace weir::control {

namespace {

std::string percent(double share) {
    std::array<char, 32> text{};
    (void)std::snprintf(text.data(), text.size(), "%.3g %%", share * 100.0);
    return text.data();
}

std::string number(double value) {
    std::array<char, 32> text{};
    (void)std::snprintf(text.data(), text.size(), "%.3g", value);
    return text.data();
}

double seconds(Guard::Clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

template <typename Counts>
Counts minus(const Counts& a, const Counts& b) {
    Counts out{};
    std::transform(a.begin(), a.end(), b.begin(), out.begin(), std::minus<>());
    return out;
}

double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

double p99_of(const dataplane::LatencyCounts& counts) {
    return static_cast<double>(dataplane::latency_quantile(counts, 0.99));
}

}  // namespace

double total_variation(const ClassCounts& a, const ClassCounts& b) {
    const auto sum_a = std::accumulate(a.begin(), a.end(), std::uint64_t{0});
    const auto sum_b = std::accumulate(b.begin(), b.end(), std::uint64_t{0});
    if (sum_a == 0 || sum_b == 0) {
        return 0.0;
    }
    double distance = 0.0;
    for (std::size_t c = 0; c < a.size(); ++c) {
        distance += std::abs(share(a[c], sum_a) - share(b[c], sum_b));
    }
    return distance / 2.0;
}

/// The watch of a model, anew if it, its stage or its counters are not those of the last time.
Guard::Watch& Guard::follow(const Subject& subject) {
    auto& watches = watches_.at(subject.slot);
    const auto& info = subject.info;
    const auto at = std::find_if(watches.begin(), watches.end(), [&](const Watch& w) {
        return w.key == info.key && w.stage == info.stage && w.block == subject.block;
    });
    if (at != watches.end()) {
        return *at;
    }
    Watch watch{info.key, info.stage, subject.block, {}, 0.0, std::nullopt};
    watch.p99_before = p99_of(latency_since(latencies_.front().at));
    for (const auto& before : watches) {
        if (info.stage == Stage::active && before.stage == Stage::active &&
            before.samples.size() > 1) {
            watch.predecessor =
                minus(before.samples.back().classes, before.samples.front().classes);
        }
    }
    watches.push_back(std::move(watch));
    return watches.back();
}

void Guard::sample_latency(Clock::time_point now, std::chrono::seconds window) {
    Latencies sample{now, {}};
    for (const auto& worker : workers_) {
        worker.stats->latency.add_to(sample.counts);
    }
    // A long window is kept in steps: 256 samples of some kilobytes each, whatever its length.
    constexpr std::size_t kSamples = 256;
    const auto size = latencies_.size();
    if (size > 1 && now - latencies_[size - 2].at < Clock::duration(window) / kSamples) {
        latencies_.back() = sample;
    } else {
        latencies_.push_back(sample);
    }
    while (latencies_.size() > 2 && latencies_[1].at <= now - window) {
        latencies_.pop_front();
    }
}

dataplane::LatencyCounts Guard::latency_since(Clock::time_point from) const {
    auto base = latencies_.begin();
    while (base + 1 != latencies_.end() && (base + 1)->at <= from) {
        ++base;
    }
    return minus(latencies_.back().counts, base->counts);
}

/// What a model did within its window.
struct Guard::Judged {
    Outcomes gained;
    double span_s = 0.0;
    double disagreement = 0.0;
    double shift = 0.0;
    double added_p99_us = 0.0;
};

std::optional<Breach> Guard::judge_one(
    const config::Guardrails& rails, const Watch& watch, std::size_t slot) const {
    const auto& from = watch.samples.front();
    const auto& to = watch.samples.back();
    Judged judged;
    judged.gained = to.outcomes.since(from.outcomes);
    const auto& gained = judged.gained;
    if (gained.rows < rails.min_rows) {
        return std::nullopt;
    }
    judged.span_s = seconds(to.at - from.at);
    judged.disagreement = share(to.disagreed - from.disagreed, to.compared - from.compared);
    const auto classes = minus(to.classes, from.classes);
    judged.shift = watch.stage != Stage::active
                       ? total_variation(classes, minus(to.active_classes, from.active_classes))
                   : watch.predecessor ? total_variation(classes, *watch.predecessor)
                                       : 0.0;
    const double p99 = p99_of(latency_since(from.at));
    judged.added_p99_us = watch.p99_before > 0.0 ? (p99 - watch.p99_before) / tsc_hz_ * 1e6 : 0.0;

    const auto broken = [&](const char* rail, const std::string& what) {
        return Breach{
            slot,
            watch.key,
            rail,
            std::string(rail) + ": " + what + " in " + number(judged.span_s) + " s"};
    };
    const auto above = [&](const char* rail,
                           double is,
                           double limit,
                           const std::string& what) -> std::optional<Breach> {
        if (limit >= 1.0 || is <= limit) {
            return std::nullopt;
        }
        return broken(rail, what + " " + percent(is) + ", limit " + percent(limit));
    };
    const bool acts = watch.stage != Stage::shadow;
    const double dropped =
        acts ? share(gained.packets_dropped, gained.packets) : share(gained.drops, gained.rows);
    const std::string rows = " of " + std::to_string(gained.rows) + " rows:";
    const std::string drop_text =
        acts ? "dropped packets, of " + std::to_string(gained.packets) + ":"
             : "would-be drops" + rows;
    for (auto& breach :
         {above("max_drop_share", dropped, rails.max_drop_share, drop_text),
          above(
              "max_alarm_rate",
              share(gained.alarms, gained.rows),
              rails.max_alarm_rate,
              "alarms" + rows),
          above(
              "max_disagreement",
              judged.disagreement,
              rails.max_disagreement,
              "disagreement" + rows),
          above("max_class_shift", judged.shift, rails.max_class_shift, "class mix shifted" + rows),
          above(
              "max_saturation",
              share(gained.saturated, gained.rows),
              rails.max_saturation,
              "saturated" + rows)}) {
        if (breach) {
            return breach;
        }
    }
    if (rails.max_added_p99_us != 0 && judged.added_p99_us > rails.max_added_p99_us) {
        return broken(
            "max_added_p99_us",
            "the 99th percentile of added latency rose by " + number(judged.added_p99_us) +
                " us, limit " + std::to_string(rails.max_added_p99_us) + " us");
    }
    return std::nullopt;
}

/// Takes a sample of a model in use and moves its window on.
Guard::Watch Guard::look(
    const Subject& subject, const ClassCounts& active_classes, std::uint32_t window_s) {
    Watch watch = std::move(follow(subject));
    Sample sample;
    sample.at = subject.now;
    sample.outcomes = read_outcomes(workers_, subject.slot, subject.block);
    sample.classes = read_classes(workers_, subject.slot, subject.block);
    sample.active_classes = active_classes;
    if (subject.pair_block) {
        const auto pairs = read_pairs(workers_, subject.slot, *subject.pair_block);
        sample.disagreed = disagreements(pairs);
        for (const auto& row : pairs) {
            sample.compared = std::accumulate(row.begin(), row.end(), sample.compared);
        }
    }
    watch.samples.push_back(sample);
    const auto begin = subject.now - std::chrono::seconds(window_s);
    while (watch.samples.size() > 2 && watch.samples[1].at <= begin) {
        watch.samples.pop_front();
    }
    return watch;
}

std::vector<Breach> Guard::judge(
    const config::Config& config, const std::vector<SlotUse>& use, Clock::time_point now) {
    std::vector<Breach> breaches;
    std::uint32_t longest = 1;
    for (const auto& slot : config.slots) {
        longest = std::max(longest, slot.guardrails.window_s);
    }
    sample_latency(now, std::chrono::seconds(longest));
    for (std::size_t s = 0; s < use.size() && s < config.slots.size(); ++s) {
        const auto& rails = config.slots[s].guardrails;
        const auto& slot = use[s];
        std::vector<Watch> still;
        const auto active_classes =
            slot.active ? read_classes(workers_, s, slot.block) : ClassCounts{};
        const auto look_at = [&](const Subject& subject, bool judged) {
            still.push_back(look(subject, active_classes, rails.window_s));
            if (auto breach = judged ? judge_one(rails, still.back(), s) : std::nullopt) {
                breaches.push_back(std::move(*breach));
                still.pop_back();  // let in once more, it is judged by what it does from then on
            }
        };
        if (rails.any() && slot.active) {
            look_at({s, *slot.active, slot.block, std::nullopt, now}, slot.judged);
        }
        for (std::size_t t = 0; rails.any() && t < slot.trials.size(); ++t) {
            const auto& trial = slot.trials[t];
            look_at({s, trial.info, trial.block, trial.pair_block, now}, true);
        }
        watches_.at(s) = std::move(still);
    }
    return breaches;
}

}  // namespace weir::control
